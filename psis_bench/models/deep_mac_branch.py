"""Deep-MAC's mask branch: embeddings, crops, and the mask head under study.

Source: paper section 3 and appendix A.2.1; official ``deepmac_meta_arch.py`` (reference for the order of
the input channels, the weight of the loss and the heads' layers). Used with and without a detector.

Shapes: B images of a batch, N boxes of one image, T boxes of the batch, S side of a crop, stride s.

What the official code does and what else there is to choose:
* ``crop_grid="edges"`` is the official crop: one point a cell, on a grid that includes both box edges.
  ``"cells"`` averages ``samples_per_bin``^2 bilinear points in each cell, with half-pixel centres; at the small image
  sizes of the models for CPUs the half pixel matters. Masks are pasted in the frame they were cropped in.
* ``embedding_kernel``: in the released code the first convolution of both embedding heads is 1 high and 3 wide
  (``make_prediction_net`` is called without ``unit_height_conv``, which is true unless said otherwise), while the
  detection heads are built with 3 x 3. The paper does not say.

Deviation: only real boxes are cropped; the official code also forwards zero boxes that pad a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.ops import roi_align

from psis_bench.errors import did_you_mean
from psis_bench.models.crop_and_resize import crop_and_resize, mask_targets
from psis_bench.models.mask_loss import mask_cross_entropy, mask_dice, soft_mask_targets
from psis_bench.models.prediction_head import prediction_head

CROP_GRIDS = ("cells", "edges")


def coordinate_embedding(size: int, like: Tensor) -> Tensor:
    """Return (2, S, S): y, then x, each linear from -1 at the first row or column to 1 at the last."""
    line = torch.linspace(-1, 1, size, device=like.device, dtype=like.dtype)
    return torch.stack(torch.meshgrid(line, line, indexing="ij"))


def embedding_at_centres(embedding: Tensor, rois: Tensor, stride: int) -> Tensor:
    """Return the vectors (T, C) under the box centres, truncated to whole cells and kept inside the map.

    Args:
        embedding: (B, C, H / s, W / s).
        rois: (T, 5): image index, then xyxy in input pixels.
        stride: Input pixels of one cell.
    """
    centres = (rois[:, 1:3] + rois[:, 3:5]) / 2 / stride
    column = centres[:, 0].long().clamp(0, embedding.shape[3] - 1)
    row = centres[:, 1].long().clamp(0, embedding.shape[2] - 1)
    return embedding[rois[:, 0].long(), :, row, column]


@MODELS.register_module()
class DeepMacMaskBranch(BaseModule):
    """From feature maps and boxes to mask logits.

    Args:
        in_channels: Channels of the feature maps.
        trunk: Config of the mask head's trunk; its ``in_channels`` is filled in here.
        stride: Input pixels of one cell of the feature maps.
        crop_size: Side S of crops and of the predicted masks.
        pixel_embedding: Channels of the pixel embedding.
        instance_embedding: Channels of the instance embedding; 0 leaves it out.
        use_coordinates: Whether the crop's coordinates are given to the mask head.
        head_width: Width of the two embedding heads' hidden layer.
        samples_per_bin: Bilinear samples a cell and axis of the crop, for ``crop_grid="cells"``.
        forward_all_boxes: Whether boxes without a mask pass through the mask head in training, as in the
            official code, where they take part in batch-norm statistics; False saves their cost.
        loss_weight: Weight of the mask loss.
        dice_weight: Weight of a Dice loss beside it; 0, as in the paper, leaves it out.
        crop_grid: ``"cells"`` or ``"edges"``.
        embedding_kernel: Height and width of the first convolution of the embedding heads.
        stacks: Feature maps of the backbone. Each has embedding heads of its own; the mask head is shared.
        only_last_stack: Whether masks are learned from the last map alone (official ``use_only_last_stage``); the
            others then have no embedding heads.

    Raises:
        ValueError: There is no such ``crop_grid``.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        trunk: dict[str, Any],
        stride: int,
        crop_size: int,
        pixel_embedding: int,
        instance_embedding: int,
        use_coordinates: bool,
        head_width: int,
        samples_per_bin: int,
        forward_all_boxes: bool,
        loss_weight: float,
        dice_weight: float = 0.0,
        crop_grid: str = "cells",
        embedding_kernel: tuple[int, int] = (3, 3),
        stacks: int = 1,
        only_last_stack: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if crop_grid not in CROP_GRIDS:
            raise ValueError(f"unknown crop_grid {crop_grid!r}; {did_you_mean(crop_grid, CROP_GRIDS)}")
        self.stride = stride
        self.crop_size = crop_size
        self.use_coordinates = use_coordinates
        self.samples_per_bin = samples_per_bin
        self.forward_all_boxes = forward_all_boxes
        self.loss_weight = loss_weight
        self.dice_weight = dice_weight
        self.crop_grid = crop_grid
        self.stacks = stacks
        self.supervised_stacks = 1 if only_last_stack else stacks
        self.pixel_heads, self.instance_heads = (
            nn.ModuleList(
                prediction_head(in_channels, head_width, channels, kernel=embedding_kernel)
                for _ in range(self.supervised_stacks if channels else 0)
            )
            for channels in (pixel_embedding, instance_embedding)
        )
        channels = 2 * use_coordinates + pixel_embedding + instance_embedding
        self.trunk = MODELS.build({**trunk, "in_channels": channels})
        self.logits = nn.Conv2d(self.trunk.out_channels, 1, 1)

    def forward(self, feature: Tensor, rois: Tensor, stack: int = -1) -> Tensor:
        """Return mask logits (T, S, S).

        Args:
            feature: (B, C, H / s, W / s), of one stack.
            rois: (T, 5): image index, then xyxy in input pixels.
            stack: Whose embedding heads to use, of those that are supervised; at test time the last.
        """
        crops = self.crop(self.pixel_heads[stack](feature), rois)
        # The order of the official code: coordinates, pixel embedding, instance embedding.
        parts = [crops]
        if self.use_coordinates:
            coordinates = coordinate_embedding(self.crop_size, crops)
            parts.insert(0, coordinates.expand(len(rois), -1, -1, -1))
        if len(self.instance_heads):
            vectors = embedding_at_centres(self.instance_heads[stack](feature), rois, self.stride)
            parts.append(vectors[:, :, None, None].expand(-1, -1, self.crop_size, self.crop_size))
        logits: Tensor = self.logits(self.trunk(torch.cat(parts, dim=1)))[:, 0]
        return logits

    def crop(self, embedding: Tensor, rois: Tensor) -> Tensor:
        """Return crops (T, C, S, S) of a map (B, C, H / s, W / s); rois as in `forward`."""
        if self.crop_grid == "edges":
            height, width = embedding.shape[2] * self.stride, embedding.shape[3] * self.stride
            return crop_and_resize(embedding, rois, self.crop_size, input_shape=(height, width))
        return roi_align(
            embedding,
            rois,
            (self.crop_size, self.crop_size),
            spatial_scale=1 / self.stride,
            sampling_ratio=self.samples_per_bin,
            aligned=True,
        )

    def loss(self, features: Sequence[Tensor], samples: list[Any]) -> dict[str, Tensor]:
        """Return ``loss_mask`` and, if wanted, ``loss_dice`` on ground-truth boxes, each the mean over its stacks.

        Args:
            features: One map (B, C, H / s, W / s) for each stack, the last last.
            samples: Data samples whose ``gt_instances`` have ``bboxes`` (N, 4) xyxy in input pixels,
                ``masks`` (BitmapMasks at input resolution) and ``has_mask`` (N,).
        """
        last = features[-1]
        rois, targets, supervised = [], [], []
        for sample in samples:
            instances = sample.gt_instances
            has_mask = instances.has_mask.to(last.device)
            boxes = getattr(instances.bboxes, "tensor", instances.bboxes).to(last.device, torch.float32)
            chosen = torch.arange(len(boxes), device=last.device)
            if not self.forward_all_boxes:
                chosen = chosen[has_mask]
            rois.append(boxes[chosen])
            targets.append(self._targets(instances.masks, boxes[chosen], chosen, has_mask[chosen], last))
            supervised.append(has_mask[chosen])
        wanted, known, places = torch.cat(targets), torch.cat(supervised), bbox2roi(rois)
        logits = [self(feature, places, stack) for stack, feature in enumerate(features[-self.supervised_stacks :])]
        kinds = {"loss_mask": (mask_cross_entropy, self.loss_weight), "loss_dice": (mask_dice, self.dice_weight)}
        return {
            name: weight * torch.stack([loss(found, wanted, known) for found in logits]).mean()
            for name, (loss, weight) in kinds.items()
            if weight or name == "loss_mask"
        }

    def _targets(self, masks: Any, boxes: Tensor, indices: Tensor, has_mask: Tensor, feature: Tensor) -> Tensor:
        """Return soft targets (N, S, S); those of boxes without a mask are zero and never read."""
        if self.crop_grid == "cells":
            return soft_mask_targets(masks, boxes, indices, self.crop_size)
        covered = (feature.shape[2] * self.stride, feature.shape[3] * self.stride)
        if (masks.height, masks.width) != covered:
            raise ValueError(
                f"masks of {masks.height} x {masks.width} pixels for an input of {covered[0]} x {covered[1]}: "
                'crop_grid="edges" needs pad_mask=True in the data preprocessor'
            )
        targets = boxes.new_zeros((len(boxes), self.crop_size, self.crop_size))
        targets[has_mask] = mask_targets(masks, boxes[has_mask], indices[has_mask], self.crop_size)
        return targets
