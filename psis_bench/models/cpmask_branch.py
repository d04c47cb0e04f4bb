"""CPMask's mask branch: an instance's boundary, affinities between its pixels, and the mask made from both.

Source: Fan, Ke, Pei, Tang, Tai, Commonality-Parsing Network across Shape and Appearance for Partially Supervised
Instance Segmentation (ECCV 2020), abstract: shape commonalities are learned by predicting the instance's boundary;
appearance commonalities by modelling pairwise affinities among the pixels of feature maps, so that instance and
background can be told apart. No code was released. Every layer, loss and number here is a choice of this package: each
is listed in docs/models/cpmask.md.

Shapes: B images of a batch, N boxes of one image, T boxes of the batch, C channels, S side of a crop, P = S * S.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.box_frames import levels_by_longest_side, pyramid_crops
from psis_bench.models.mask_loss import mask_cross_entropy, mask_dice, mean_over_instances, soft_mask_targets


class Commonalities(NamedTuple):
    """What is predicted for each box, all logits.

    Attributes:
        boundary: (T, 2S, 2S).
        affinity: (T, P, P), symmetric: whether two cells of the crop are both of the instance.
        mask: (T, 2S, 2S).
    """

    boundary: Tensor
    affinity: Tensor
    mask: Tensor


@MODELS.register_module()
class CpMaskBranch(BaseModule):
    """From a pyramid's maps and boxes to masks, by way of boundaries and affinities.

    Args:
        in_channels: Channels C of the maps.
        trunk: Config of the trunk between attention and mask; its ``in_channels`` is filled in here.
        strides: Input pixels of one cell of the maps that are cropped, the pyramid's first ones; each twice the former.
        crop_size: Side S of crops; boundaries and masks have twice as many cells.
        samples_per_bin: Bilinear samples a cell and axis of the crop.
        boundary_trunk: Config of the trunk before the boundary; its ``in_channels`` is filled in here.
        affinity_channels: Channels of the embedding whose products are affinities.
        upsample_channels: Channels of both transposed convolutions.
        mask_weight: Weight of the mask's cross entropy.
        boundary_weight: Weight of the boundary's cross entropy and of its Dice loss.
        affinity_weight: Weight of the affinities' cross entropy.
        boxes_at_once: Boxes that are predicted together; bounds memory, changes nothing else.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        trunk: dict[str, Any],
        strides: tuple[int, ...],
        crop_size: int,
        samples_per_bin: int,
        boundary_trunk: dict[str, Any],
        affinity_channels: int,
        upsample_channels: int,
        mask_weight: float,
        boundary_weight: float,
        affinity_weight: float,
        boxes_at_once: int,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.strides, self.crop_size, self.samples_per_bin = tuple(strides), crop_size, samples_per_bin
        self.mask_weight, self.boundary_weight, self.affinity_weight = mask_weight, boundary_weight, affinity_weight
        self.boxes_at_once = boxes_at_once
        self.boundary_trunk = MODELS.build({**boundary_trunk, "in_channels": in_channels})
        self.fuse = nn.Conv2d(self.boundary_trunk.out_channels, in_channels, 1)
        self.boundary = _upsampled(self.boundary_trunk.out_channels, upsample_channels)
        self.embed = nn.Conv2d(in_channels, affinity_channels, 1)
        self.value, self.attended = nn.Conv2d(in_channels, in_channels, 1), nn.Conv2d(in_channels, in_channels, 1)
        # Products of two equal embeddings are positive: without it a pair could hardly be told apart at first.
        self.affinity_bias = nn.Parameter(torch.zeros(1))
        self.trunk = MODELS.build({**trunk, "in_channels": in_channels})
        self.mask = _upsampled(self.trunk.out_channels, upsample_channels)

    def init_weights(self) -> None:
        """Initialise by He's rule; what attention adds starts from zero, as in non-local networks."""
        super().init_weights()
        for module in (self.fuse, self.boundary, self.embed, self.value, self.mask):
            for layer in module.modules():
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                    if layer.bias is not None:
                        nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.attended.weight)
        if self.attended.bias is not None:
            nn.init.zeros_(self.attended.bias)

    def forward(self, features: tuple[Tensor, ...], rois: Tensor) -> Commonalities:
        """Return what is predicted for each box.

        Args:
            features: The pyramid's maps; those beyond ``strides`` are not read.
            rois: (T, 5): image index, then xyxy in input pixels.
        """
        levels = levels_by_longest_side(rois[:, 1:], strides=self.strides, size=self.crop_size)
        crops = pyramid_crops(
            features[: len(self.strides)],
            rois,
            levels,
            strides=self.strides,
            size=self.crop_size,
            samples=self.samples_per_bin,
        )
        outline = self.boundary_trunk(crops)
        shaped = crops + self.fuse(outline)
        affinity = self.affinities(shaped)
        mask = self.mask(self.trunk(shaped + self.attend(shaped, affinity)))
        return Commonalities(self.boundary(outline)[:, 0], affinity, mask[:, 0])

    def affinities(self, features: Tensor) -> Tensor:
        """Return the logits (T, P, P) of pairs of cells of features (T, C, S, S), cells in rows from the top."""
        embedding = self.embed(features).flatten(2)
        products = embedding.transpose(1, 2) @ embedding
        return products / embedding.shape[1] ** 0.5 + self.affinity_bias

    def attend(self, features: Tensor, affinity: Tensor) -> Tensor:
        """Return (T, C, S, S): for each cell the values of the others, weighted by the softmax of its affinities."""
        values = self.value(features).flatten(2)
        gathered = values @ affinity.softmax(dim=2).transpose(1, 2)
        added: Tensor = self.attended(gathered.reshape(features.shape))
        return added

    def loss(self, features: tuple[Tensor, ...], samples: list[Any]) -> dict[str, Tensor]:
        """Return ``loss_mask``, ``loss_boundary`` and ``loss_affinity`` on the boxes of instances with a mask.

        Args:
            features: The pyramid's maps.
            samples: Data samples whose ``gt_instances`` have ``bboxes`` (N, 4) xyxy in input pixels, ``masks``
                (BitmapMasks at input resolution) and ``has_mask`` (N,).
        """
        boxes: list[Tensor] = []
        small: list[Tensor] = []
        large: list[Tensor] = []
        for sample in samples:
            instances = sample.gt_instances
            all_boxes = getattr(instances.bboxes, "tensor", instances.bboxes).to(features[0])
            chosen = torch.nonzero(instances.has_mask.to(all_boxes.device))[:, 0]
            boxes.append(all_boxes[chosen])
            for targets, size in ((small, self.crop_size), (large, 2 * self.crop_size)):
                targets.append(soft_mask_targets(instances.masks, boxes[-1], chosen, size))
        found = self(features, bbox2roi(boxes))
        wanted = torch.cat(large)
        known = torch.ones(len(wanted), dtype=torch.bool, device=wanted.device)
        outlines = boundaries(wanted)
        inside = torch.cat(small).ge(0.5).flatten(1)
        outline_loss = mask_cross_entropy(found.boundary, outlines, known) + mask_dice(found.boundary, outlines, known)
        pair_loss = mean_over_instances(pair_losses(found.affinity, inside), found.affinity)
        return {
            "loss_mask": self.mask_weight * mask_cross_entropy(found.mask, wanted, known),
            "loss_boundary": self.boundary_weight * outline_loss,
            "loss_affinity": self.affinity_weight * pair_loss,
        }

    def crops(self, features: tuple[Tensor, ...], samples: list[Any], boxes: list[Tensor]) -> list[Tensor]:
        """Return masks (N, 2S, 2S) in [0, 1] of each image's boxes (N, 4), xyxy in input pixels."""
        del samples
        parts = torch.split(bbox2roi(boxes), self.boxes_at_once)
        masks = torch.cat([self(features, part).mask.sigmoid() for part in parts])
        return list(torch.split(masks, [len(box) for box in boxes]))

    def frames(self, boxes: Tensor, height: float, width: float) -> Tensor:
        """Return the boxes (N, 4) that the masks of given boxes cover: themselves."""
        del height, width
        return boxes


def _upsampled(in_channels: int, channels: int) -> nn.Sequential:
    """Return transposed convolution, ReLU, 1x1 convolution: (T, C, S, S) to logits (T, 1, 2S, 2S)."""
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, channels, 2, stride=2), nn.ReLU(inplace=True), nn.Conv2d(channels, 1, 1)
    )


def boundaries(masks: Tensor) -> Tensor:
    """Return 1 for cells on either side of an outline: of those above, below, left and right, one differs.

    Args:
        masks: (T, H, W) in [0, 1], a cell being inside from one half on. Beyond the edges is outside.

    Returns:
        (T, H, W) float.
    """
    inside = functional.pad(masks.ge(0.5), (1, 1, 1, 1))
    centre = inside[:, 1:-1, 1:-1]
    sides = (inside[:, :-2, 1:-1], inside[:, 2:, 1:-1], inside[:, 1:-1, :-2], inside[:, 1:-1, 2:])
    differs = torch.stack([side != centre for side in sides]).any(dim=0)
    return differs.to(masks.dtype)


def pair_losses(affinity: Tensor, inside: Tensor) -> Tensor:
    """Return the cross entropy (T,) of the affinities between an instance's cells and all cells.

    Pairs inside the instance and pairs of it and the background count one half each, however many they are; an
    instance without one of the two kinds has the other alone. Pairs of two background cells say nothing of the
    instance, and what they show need not be alike.

    Args:
        affinity: (T, P, P) logits.
        inside: (T, P) bool.
    """
    ours = inside.to(affinity.dtype)
    alike = ours[:, :, None] * ours[:, None, :]
    apart = ours[:, :, None] * (1 - ours[:, None, :])
    kinds = ((alike, functional.softplus(-affinity)), (apart, functional.softplus(affinity)))
    means = torch.stack([(pairs * loss).sum(dim=(1, 2)) / pairs.sum(dim=(1, 2)).clamp(min=1) for pairs, loss in kinds])
    present = torch.stack([pairs.flatten(1).any(dim=1) for pairs, _ in kinds])
    return means.sum(dim=0) / present.sum(dim=0).clamp(min=1)
