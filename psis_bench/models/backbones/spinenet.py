"""SpineNet: a backbone whose scales go up and down, found by architecture search.

Source: Du et al., SpineNet (CVPR 2020); official ``official/vision/modeling/backbones/spinenet.py`` of
tensorflow/models, which this follows layer by layer.

Shapes: B images, level l has stride 2**l. Names of the official code: block group, resample, endpoint.

Stated deviations: none in what is computed. Blocks that reach no requested level are not built, as in the official
Keras model, whose level-2 output is left out when levels 3 to 7 are asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from psis_bench.models.backbones.efficientnet_lite import SameConv
from psis_bench.models.backbones.initialisation import keras_variance_scaling
from psis_bench.models.mask_heads.norm import NormFactory, norm_factory

_CHANNELS = {2: 64, 3: 128, 4: 256, 5: 256, 6: 256, 7: 256}
"""Unit of the width of a block at each level."""

_STEM_CHANNELS = 64
_STEM_LEVEL = 2
_STEM_GROUPS = 2


class BlockSpec(NamedTuple):
    """One block of the searched network: its level, kind, two inputs (numbered with the two stem groups), is output."""

    level: int
    bottleneck: bool
    inputs: tuple[int, int]
    is_output: bool


_BLOCKS = (
    BlockSpec(2, True, (0, 1), False),
    BlockSpec(4, False, (0, 1), False),
    BlockSpec(3, True, (2, 3), False),
    BlockSpec(4, True, (2, 4), False),
    BlockSpec(6, False, (3, 5), False),
    BlockSpec(4, True, (3, 5), False),
    BlockSpec(5, False, (6, 7), False),
    BlockSpec(7, False, (6, 8), False),
    BlockSpec(5, True, (8, 9), False),
    BlockSpec(5, True, (8, 10), False),
    BlockSpec(4, True, (5, 10), True),
    BlockSpec(3, True, (4, 10), True),
    BlockSpec(5, True, (7, 12), True),
    BlockSpec(7, True, (5, 14), True),
    BlockSpec(6, True, (12, 14), True),
    BlockSpec(2, True, (2, 13), True),
)


class Group(NamedTuple):
    """What is known of a block group when the next one is planned: level, kind, output channels."""

    level: int
    bottleneck: bool
    channels: int


class StochasticDepth(nn.Module):
    """Leave a branch out, image by image, with a probability that grows with depth; scale what is kept."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, H, W), zero for some images in training."""
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(x.shape[0], 1, 1, 1, device=x.device) >= self.rate
        return x * kept.to(x.dtype) / (1 - self.rate)


class Block(nn.Module):
    """A residual block: two 3x3 convolutions, or a bottleneck of 1x1, 3x3 and 1x1 with four times the channels out."""

    def __init__(
        self, *, in_channels: int, channels: int, bottleneck: bool, projects: bool, drop_rate: float, norm: NormFactory
    ) -> None:
        super().__init__()
        out_channels = 4 * channels if bottleneck else channels
        shapes = [(in_channels, channels, 3), (channels, channels, 3)]
        if bottleneck:
            shapes = [(in_channels, channels, 1), (channels, channels, 3), (channels, out_channels, 1)]
        self.convs = nn.ModuleList(nn.Conv2d(i, o, k, padding=k // 2, bias=False) for i, o, k in shapes)
        self.norms = nn.ModuleList(norm(o) for _, o, _ in shapes)
        self.projection = nn.Conv2d(in_channels, out_channels, 1, bias=False) if projects else None
        self.projection_norm = norm(out_channels) if projects else None
        self.drop = StochasticDepth(drop_rate)
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, H, W)."""
        skip = x
        if self.projection is not None and self.projection_norm is not None:
            skip = self.projection_norm(self.projection(x))
        for place, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = norm(conv(x))
            if place < len(self.convs) - 1:
                x = functional.relu(x)
        return functional.relu(self.drop(x) + skip)


def block_group(
    *, in_channels: int, channels: int, bottleneck: bool, repeats: int, drop_rate: float, norm: NormFactory
) -> nn.Sequential:
    """Return ``repeats`` blocks, the first with a projection where channels change."""
    out_channels = 4 * channels if bottleneck else channels
    group = nn.Sequential()
    for place in range(repeats):
        group.append(
            Block(
                in_channels=out_channels if place else in_channels,
                channels=channels,
                bottleneck=bottleneck,
                projects=place == 0 and in_channels != out_channels,
                drop_rate=drop_rate,
                norm=norm,
            )
        )
    return group


class Resample(nn.Module):
    """Bring a feature map to another level and number of channels.

    Args:
        source: The group that made it.
        level: The level wanted.
        out_channels: The channels wanted.
        alpha: Channels in between, as a part of the source's unit.
        norm: Makes normalisation layers.
    """

    def __init__(self, source: Group, *, level: int, out_channels: int, alpha: float, norm: NormFactory) -> None:
        super().__init__()
        between = int(source.channels / (4 if source.bottleneck else 1) * alpha)
        self.reduce = nn.Conv2d(source.channels, between, 1, bias=False)
        self.reduce_norm = norm(between)
        self.up = max(source.level - level, 0)
        self.pools = max(level - source.level - 1, 0)
        shrinks = level > source.level
        self.shrink = SameConv(between, between, 3, stride=2, bias=False) if shrinks else None
        self.shrink_norm = norm(between) if shrinks else None
        self.expand = nn.Conv2d(between, out_channels, 1, bias=False)
        self.expand_norm = norm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, H', W'), without an activation."""
        x = functional.relu(self.reduce_norm(self.reduce(x)))
        if self.shrink is not None and self.shrink_norm is not None:
            x = functional.relu(self.shrink_norm(self.shrink(x)))
        for _ in range(self.pools):
            x = same_max_pool(x)
        if self.up:
            x = functional.interpolate(x, scale_factor=float(2**self.up), mode="nearest")
        expanded: Tensor = self.expand_norm(self.expand(x))
        return expanded


def same_max_pool(x: Tensor) -> Tensor:
    """Pool the maximum of 3x3 at stride 2 with TensorFlow's 'SAME' padding: with even sides, after the last row."""
    pads: list[int] = []
    for size in reversed(x.shape[2:]):
        total = max((-(-size // 2) - 1) * 2 + 3 - size, 0)
        pads += [total // 2, total - total // 2]
    return functional.max_pool2d(functional.pad(x, pads, value=-torch.inf), 3, stride=2)


@MODELS.register_module()
class SpineNet(BaseModule):
    """Feature maps of the levels ``min_level`` to ``max_level``, finest first, each with ``endpoint_channels``.

    The input's sides must be divisible by the coarsest stride, 128.

    Args:
        endpoint_channels: Channels of the maps.
        width_scale: Factor on all widths inside (official ``filter_size_scale``).
        resample_alpha: Width in between where a map changes its level.
        block_repeats: Blocks a group.
        min_level: Finest level, 2 or 3.
        max_level: Coarsest level, at most 7.
        drop_rate: Stochastic depth of the last block; it grows linearly from the first.
        norm_type: ``"SyncBN"``, ``"BN"``.
        norm_eps: Added to variances.
        norm_momentum: PyTorch's momentum: one minus that of Keras.
        recompute: Compute activations of groups again in the backward pass, to save memory.
        init_cfg: MMEngine initialisation, e.g. ``Pretrained``.

    Raises:
        ValueError: The levels are none that SpineNet has.
    """

    def __init__(
        self,
        *,
        endpoint_channels: int,
        width_scale: float,
        resample_alpha: float,
        block_repeats: int,
        min_level: int = 3,
        max_level: int = 7,
        drop_rate: float,
        norm_type: str,
        norm_eps: float,
        norm_momentum: float,
        recompute: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not 2 <= min_level <= max_level <= 7:
            raise ValueError(f"SpineNet has the levels 2 to 7, not {min_level} to {max_level}")
        self.levels = range(min_level, max_level + 1)
        self.recompute = recompute
        norm = norm_factory(norm_type, eps=norm_eps, momentum=norm_momentum)
        settings: dict[str, Any] = {"repeats": block_repeats, "norm": norm}
        self.stem = SameConv(3, _STEM_CHANNELS, 7, stride=2, bias=False)
        self.stem_norm = norm(_STEM_CHANNELS)
        self.stem_groups = nn.ModuleList()
        made: list[Group] = []
        channels, unit = _STEM_CHANNELS, int(_CHANNELS[_STEM_LEVEL] * width_scale)
        for _ in range(_STEM_GROUPS):
            group = block_group(in_channels=channels, channels=unit, bottleneck=True, drop_rate=0.0, **settings)
            self.stem_groups.append(group)
            channels = 4 * unit
            made.append(Group(_STEM_LEVEL, True, channels))
        self.plan = planned(width_scale, self.levels)
        self.resamples, self.groups = nn.ModuleDict(), nn.ModuleDict()
        for index, spec in enumerate(_BLOCKS):
            unit = int(_CHANNELS[spec.level] * width_scale)
            channels = 4 * unit if spec.bottleneck else unit
            made.append(Group(spec.level, spec.bottleneck, channels))
            if index not in self.plan:
                continue
            for place, source in enumerate(spec.inputs):
                self.resamples[f"{index}_{place}"] = Resample(
                    made[source], level=spec.level, out_channels=channels, alpha=resample_alpha, norm=norm
                )
            self.groups[str(index)] = block_group(
                in_channels=channels,
                channels=unit,
                bottleneck=spec.bottleneck,
                drop_rate=drop_rate * (index + 1) / len(_BLOCKS),
                **settings,
            )
        of_level = {spec.level: made[index + _STEM_GROUPS] for index, spec in enumerate(_BLOCKS) if spec.is_output}
        self.endpoints = nn.ModuleDict(
            {str(level): nn.Conv2d(of_level[level].channels, endpoint_channels, 1, bias=False) for level in self.levels}
        )
        self.endpoint_norms = nn.ModuleDict({str(level): norm(endpoint_channels) for level in self.levels})
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as Keras' ``VarianceScaling`` does: a truncated normal with variance 1 / inputs."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                keras_variance_scaling(module)

    def init_weights(self) -> None:
        """Initialise by the network's own rule, then by ``init_cfg`` if there is one."""
        if not self.is_init:
            self.reset_parameters()
        super().init_weights()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps (B, endpoint_channels, H / 2**l, W / 2**l) of an image batch (B, 3, H, W).

        Raises:
            ValueError: H or W is not divisible by 128.
        """
        if any(side % 128 for side in x.shape[2:]):
            raise ValueError(f"SpineNet's input sides must be divisible by 128, not {tuple(x.shape[2:])}")
        x = same_max_pool(functional.relu(self.stem_norm(self.stem(x))))
        maps: dict[int, Tensor] = {}
        for place, group in enumerate(self.stem_groups):
            x = self._run(group, x)
            maps[place] = x
        found = {}
        for index, joined in self.plan.items():
            spec = _BLOCKS[index]
            first, second = (
                self.resamples[f"{index}_{place}"](maps[source]) for place, source in enumerate(spec.inputs)
            )
            merged = functional.relu(sum((maps[source] for source in joined), start=first + second))
            maps[index + _STEM_GROUPS] = self._run(self.groups[str(index)], merged)
            if spec.is_output:
                found[spec.level] = maps[index + _STEM_GROUPS]
        return tuple(
            functional.relu(self.endpoint_norms[str(level)](self.endpoints[str(level)](found[level])))
            for level in self.levels
        )

    def _run(self, group: nn.Module, x: Tensor) -> Tensor:
        if self.recompute and self.training:
            kept: Tensor = checkpoint(group, x, use_reentrant=False)
            return kept
        result: Tensor = group(x)
        return result


def planned(width_scale: float, levels: range) -> dict[int, tuple[int, ...]]:
    """Return which blocks are needed for the levels, each with the earlier groups that are added to its inputs.

    An output block also takes in every earlier group of its level and channels that nothing has used until then.

    Args:
        width_scale: Factor on all widths.
        levels: Levels that are asked for.
    """
    stem = (_STEM_LEVEL, 4 * int(_CHANNELS[_STEM_LEVEL] * width_scale))
    shapes = [stem] * _STEM_GROUPS
    for spec in _BLOCKS:
        unit = int(_CHANNELS[spec.level] * width_scale)
        shapes.append((spec.level, 4 * unit if spec.bottleneck else unit))
    used = [0] * len(shapes)
    joined: dict[int, tuple[int, ...]] = {}
    for index, spec in enumerate(_BLOCKS):
        number = index + _STEM_GROUPS
        for source in spec.inputs:
            used[source] += 1
        free = [place for place in range(number) if used[place] == 0 and shapes[place] == shapes[number]]
        joined[index] = tuple(free) if spec.is_output else ()
        for place in joined[index]:
            used[place] += 1
    needed: set[int] = set()
    for index in reversed(range(len(_BLOCKS))):
        wanted = _BLOCKS[index].is_output and _BLOCKS[index].level in levels
        if wanted or index + _STEM_GROUPS in needed:
            needed |= {index + _STEM_GROUPS, *_BLOCKS[index].inputs, *joined[index]}
    return {index: places for index, places in joined.items() if index + _STEM_GROUPS in needed}
