"""ShapeMask's mask branch: shape prior, coarse mask, fine mask, each refined from the one before.

Source: Kuo et al., ShapeMask: Learning to Segment Novel Objects by Refining Shape Priors (2019); official
``shapemask_heads`` in ``modeling/architecture/heads.py``, ``modeling/losses.py`` and ``dataloader/shapemask_parser.py``
(tensorflow/tpu, ``models/official/detection``). What is read, derived and chosen: docs/models/shapemask.md.

Shapes: B images of a batch, N boxes of one image, T boxes of the batch, C channels, K priors, S side of a crop.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmengine.model import BaseModule, bias_init_with_prob, normal_init, xavier_init
from torch import Tensor, distributed, nn
from torch.nn import functional

from psis_bench.data.shape_priors import read_priors
from psis_bench.models.box_frames import (
    clipped,
    jittered,
    levels_by_longest_side,
    outer_boxes,
    pyramid_crops,
    reframed,
)
from psis_bench.models.mask_loss import soft_mask_targets


class Stages(NamedTuple):
    """The three masks of each box, in the frame of its outer box.

    Attributes:
        prior: (T, S, S) in [0, 1], the blended shape priors.
        coarse: (T, S, S) logits.
        fine: (T, F S, F S) logits, F the factor of upsampling.
    """

    prior: Tensor
    coarse: Tensor
    fine: Tensor


@MODELS.register_module()
class ShapeMaskBranch(BaseModule):
    """From a pyramid's maps and boxes to fine masks.

    Args:
        in_channels: Channels of the maps.
        trunk: Config of the trunk of both decoders; its ``in_channels`` is filled in here.
        strides: Input pixels of one cell of the maps that are cropped, the pyramid's first ones; each twice the former.
        channels: Channels of the instance's features.
        crop_size: Side S of crops, coarse masks and priors.
        upsample_factor: F, how many times as many cells a fine mask has.
        clusters: Number K of priors.
        priors: File of shape priors (`psis_bench.data.shape_priors`) that training begins with; None: all empty.
            Weights hold the priors: prediction reads no file.
        outer_scale: Side of the box with margin, in sides of the box.
        samples: Boxes an image that masks are learned on; an image with fewer objects repeats them, moved otherwise.
        jitter: Deviation by which training boxes are moved and scaled, in sides of the box.
        first_probability: Probability that masks start from.
        prior_weight: Weight of the prior's squared error.
        coarse_weight: Weight of the coarse mask's cross entropy.
        fine_weight: Weight of the fine mask's cross entropy.
        boxes_at_once: Boxes that are predicted together; bounds memory, changes nothing else.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        trunk: dict[str, Any],
        strides: tuple[int, ...],
        channels: int,
        crop_size: int,
        upsample_factor: int,
        clusters: int,
        outer_scale: float,
        samples: int,
        jitter: float,
        first_probability: float,
        prior_weight: float,
        coarse_weight: float,
        fine_weight: float,
        boxes_at_once: int,
        priors: str | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.strides, self.crop_size, self.outer_scale = tuple(strides), crop_size, outer_scale
        self.samples, self.jitter, self.first_probability = samples, jitter, first_probability
        self.weights = (prior_weight, coarse_weight, fine_weight)
        self.boxes_at_once = boxes_at_once
        self.priors_file = priors
        self.register_buffer("priors", torch.zeros(clusters, crop_size, crop_size))
        self.reduce = nn.Conv2d(in_channels, channels, 1)
        self.classify_prior = nn.Linear(channels, clusters)
        self.embed_prior, self.embed_coarse = nn.Conv2d(1, channels, 1), nn.Conv2d(1, channels, 1)
        self.coarse_trunk = MODELS.build({**trunk, "in_channels": channels})
        self.trunk = MODELS.build({**trunk, "in_channels": channels})
        wide = self.trunk.out_channels
        self.coarse_logits = nn.Conv2d(wide, 1, 1)
        self.upsample = nn.ConvTranspose2d(wide, channels, upsample_factor, stride=upsample_factor)
        self.fine_logits = nn.Conv2d(channels, 1, 1)

    def init_weights(self) -> None:
        """Initialise as the official code does, and read the priors."""
        super().init_weights()
        for layer in (self.reduce, self.embed_prior, self.embed_coarse, self.upsample):
            xavier_init(layer, distribution="uniform")
        normal_init(self.classify_prior, std=0.01)
        for layer in (self.coarse_logits, self.fine_logits):
            normal_init(layer, std=0.01, bias=bias_init_with_prob(self.first_probability))
        if self.priors_file is not None:
            self.priors.copy_(torch.from_numpy(read_priors(Path(self.priors_file)).priors))

    def forward(self, features: tuple[Tensor, ...], boxes: Tensor, outer: Tensor) -> Stages:
        """Return prior, coarse and fine mask of each box.

        Args:
            features: The pyramid's maps; those beyond ``strides`` are not read.
            boxes: (T, 5): image index, then xyxy in input pixels.
            outer: (T, 5), the same with their margin.
        """
        levels = levels_by_longest_side(boxes[:, 1:], strides=self.strides, size=self.crop_size)
        maps = features[: len(self.strides)]
        crops = pyramid_crops(maps, outer, levels, strides=self.strides, size=self.crop_size, samples=1)
        instance = self.reduce(crops)
        prior = self.blend_priors(instance, boxes[:, 1:], outer[:, 1:])
        coarse = self.coarse_logits(self.coarse_trunk(instance + self.embed_prior(prior[:, None])))
        conditioned = instance - mean_inside(instance, coarse) + self.embed_coarse(coarse.sigmoid())
        fine = self.fine_logits(self.upsample(self.trunk(conditioned)))
        return Stages(prior, coarse[:, 0], fine[:, 0])

    def blend_priors(self, instance: Tensor, boxes: Tensor, outer: Tensor) -> Tensor:
        """Return the priors weighted by how well they suit each instance, (T, S, S), in the frame of its outer box."""
        inside = reframed(torch.ones_like(instance[:, 0]), boxes, outer, self.crop_size)
        embedding = (instance * inside[:, None]).mean(dim=(2, 3))
        shares = self.classify_prior(embedding).softmax(dim=1)
        return reframed(torch.einsum("tk,kij->tij", shares, self.priors), boxes, outer, self.crop_size)

    def loss(self, features: tuple[Tensor, ...], samples: list[Any]) -> dict[str, Tensor]:
        """Return ``loss_prior``, ``loss_coarse`` and ``loss_mask``, over instances with a mask alone.

        Args:
            features: The pyramid's maps.
            samples: Data samples whose ``gt_instances`` have ``bboxes`` (N, 4) xyxy in input pixels, ``masks``
                (BitmapMasks at input resolution) and ``has_mask`` (N,).
        """
        boxes, outer, owners = [], [], []
        for sample in samples:
            chosen, moved = self.training_boxes(sample.gt_instances, features[0])
            height, width = sample.img_shape[:2]
            boxes.append(clipped(moved, height, width))
            outer.append(outer_boxes(boxes[-1], height, width, scale=self.outer_scale))
            owners.append(chosen)
        found = self(features, bbox2roi(boxes), bbox2roi(outer))
        small, large = (binary_targets(samples, outer, owners, like=logits) for logits in (found.coarse, found.fine))
        cross_entropy = functional.binary_cross_entropy_with_logits
        prior_weight, coarse_weight, fine_weight = self.weights
        return {
            "loss_prior": prior_weight * over_foreground((found.prior - small).square() / 2, small),
            "loss_coarse": coarse_weight * over_foreground(cross_entropy(found.coarse, small, reduction="none"), small),
            "loss_mask": fine_weight * over_foreground(cross_entropy(found.fine, large, reduction="none"), large),
        }

    def training_boxes(self, instances: Any, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the indices (samples,) of instances with a mask, each as often as any other, and moved boxes."""
        owners = torch.nonzero(instances.has_mask.cpu())[:, 0]
        boxes = getattr(instances.bboxes, "tensor", instances.bboxes).to(like.device, like.dtype)
        if not len(owners):
            return owners.to(like.device), boxes[:0]
        drawn = torch.randperm(max(len(owners), self.samples))[: self.samples] % len(owners)
        chosen = owners[drawn].to(like.device)
        noise = self.jitter * torch.randn(len(chosen), 4).to(boxes)
        return chosen, jittered(boxes[chosen], noise)

    def crops(self, features: tuple[Tensor, ...], samples: list[Any], boxes: list[Tensor]) -> list[Tensor]:
        """Return fine masks (N, F S, F S) in [0, 1] of each image's boxes (N, 4), xyxy in input pixels.

        They cover the boxes with margin: see `frames`.
        """
        outer = [self.frames(each, *sample.img_shape[:2]) for each, sample in zip(boxes, samples, strict=True)]
        pairs = zip(
            torch.split(bbox2roi(boxes), self.boxes_at_once),
            torch.split(bbox2roi(outer), self.boxes_at_once),
            strict=True,
        )
        fine = torch.cat([self(features, each, around).fine.sigmoid() for each, around in pairs])
        return list(torch.split(fine, [len(box) for box in boxes]))

    def frames(self, boxes: Tensor, height: float, width: float) -> Tensor:
        """Return the boxes (N, 4) that the masks of given boxes cover, in an image of this size."""
        return outer_boxes(boxes, height, width, scale=self.outer_scale)


def binary_targets(samples: list[Any], frames: list[Tensor], indices: list[Tensor], *, like: Tensor) -> Tensor:
    """Return masks (T, S, S) of 0 and 1 with the shape and type of ``like``.

    Args:
        samples: As in `ShapeMaskBranch.loss`.
        frames: For each image the boxes that the masks cover, (N, 4) xyxy in input pixels.
        indices: For each image the instances (N,) that they are of.
        like: (T, S, S).
    """
    parts = [
        soft_mask_targets(sample.gt_instances.masks, boxes, chosen, like.shape[-1])
        for sample, boxes, chosen in zip(samples, frames, indices, strict=True)
    ]
    return torch.cat(parts).ge(0.5).to(like.dtype)


def mean_inside(features: Tensor, logits: Tensor) -> Tensor:
    """Return the mean (T, C, 1, 1) of features (T, C, S, S) where a mask (T, 1, S, S) is more likely than not.

    Zero where that is nowhere. The mask's logits get no gradient from it.
    """
    inside = (logits > 0).to(features.dtype)
    return (features * inside).sum(dim=(2, 3), keepdim=True) / inside.sum(dim=(2, 3), keepdim=True).clamp(min=1)


def over_foreground(losses: Tensor, targets: Tensor) -> Tensor:
    """Return the sum of pixels' losses over the number of foreground pixels, both (T, S, S) and of the whole batch.

    In a distributed run the share of this process, as `psis_bench.models.mask_loss.mean_over_instances`. Without any
    instance it is 0 and still reaches what the losses were computed from.
    """
    count = targets.sum() + 0.001
    if not (distributed.is_available() and distributed.is_initialized()):
        return losses.sum() / count
    distributed.all_reduce(count)
    return losses.sum() * distributed.get_world_size() / count
