"""Deep-MAC's mask branch: embeddings, crops, and the mask head under study.

Source: paper section 3 and appendix A.2.1; official ``deepmac_meta_arch.py`` (reference for the order of
the input channels, the weight of the loss and the heads' layers). Used with and without a detector.

Shapes: B images of a batch, N boxes of one image, T boxes of the batch, S side of a crop, stride s.

Deviations from the official code, both switchable or without effect on what is learned:
* a crop is averaged from ``samples_per_bin``^2 bilinear points in each cell, with half-pixel centres, and
  pasted back in the same frame; the official operator takes one point a cell on a grid that includes both
  box edges. At the small image sizes of the default models the half pixel matters.
* only real boxes are cropped; the official code also forwards zero boxes that pad a batch.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.ops import roi_align

from psis_bench.models.mask_loss import mask_cross_entropy, soft_mask_targets


def embedding_head(in_channels: int, width: int, out_channels: int) -> nn.Sequential:
    """Return a prediction head on the shared features: 3x3 convolution, ReLU, 1x1 convolution."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(width, out_channels, 1)
    )


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
    """From a feature map and boxes to mask logits.

    Args:
        in_channels: Channels of the feature map.
        trunk: Config of the mask head's trunk; its ``in_channels`` is filled in here.
        stride: Input pixels of one cell of the feature map.
        crop_size: Side S of crops and of the predicted masks.
        pixel_embedding: Channels of the pixel embedding.
        instance_embedding: Channels of the instance embedding; 0 leaves it out.
        use_coordinates: Whether the crop's coordinates are given to the mask head.
        head_width: Width of the two embedding heads' hidden layer.
        samples_per_bin: Bilinear samples a cell and axis of the crop.
        forward_all_boxes: Whether boxes without a mask pass through the mask head in training, as in the
            official code, where they take part in batch-norm statistics; False saves their cost.
        loss_weight: Weight of the mask loss.
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
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.stride = stride
        self.crop_size = crop_size
        self.use_coordinates = use_coordinates
        self.samples_per_bin = samples_per_bin
        self.forward_all_boxes = forward_all_boxes
        self.loss_weight = loss_weight
        self.pixel_head = embedding_head(in_channels, head_width, pixel_embedding)
        self.instance_head = embedding_head(in_channels, head_width, instance_embedding) if instance_embedding else None
        channels = 2 * use_coordinates + pixel_embedding + instance_embedding
        self.trunk = MODELS.build({**trunk, "in_channels": channels})
        self.logits = nn.Conv2d(self.trunk.out_channels, 1, 1)

    def forward(self, feature: Tensor, rois: Tensor) -> Tensor:
        """Return mask logits (T, S, S).

        Args:
            feature: (B, C, H / s, W / s).
            rois: (T, 5): image index, then xyxy in input pixels.
        """
        crops = roi_align(
            self.pixel_head(feature),
            rois,
            (self.crop_size, self.crop_size),
            spatial_scale=1 / self.stride,
            sampling_ratio=self.samples_per_bin,
            aligned=True,
        )
        # The order of the official code: coordinates, pixel embedding, instance embedding.
        parts = [crops]
        if self.use_coordinates:
            coordinates = coordinate_embedding(self.crop_size, crops)
            parts.insert(0, coordinates.expand(len(rois), -1, -1, -1))
        if self.instance_head is not None:
            vectors = embedding_at_centres(self.instance_head(feature), rois, self.stride)
            parts.append(vectors[:, :, None, None].expand(-1, -1, self.crop_size, self.crop_size))
        logits: Tensor = self.logits(self.trunk(torch.cat(parts, dim=1)))[:, 0]
        return logits

    def loss(self, feature: Tensor, samples: list[Any]) -> dict[str, Tensor]:
        """Return ``loss_mask`` on the ground-truth boxes of a batch.

        Args:
            feature: (B, C, H / s, W / s).
            samples: Data samples whose ``gt_instances`` have ``bboxes`` (N, 4) xyxy in input pixels,
                ``masks`` (BitmapMasks at input resolution) and ``has_mask`` (N,).
        """
        rois, targets, supervised = [], [], []
        for image, sample in enumerate(samples):
            instances = sample.gt_instances
            has_mask = instances.has_mask.to(feature.device)
            boxes = getattr(instances.bboxes, "tensor", instances.bboxes).to(feature)
            chosen = torch.arange(len(boxes), device=feature.device)
            if not self.forward_all_boxes:
                chosen = chosen[has_mask]
            rois.append(torch.cat([boxes.new_full((len(chosen), 1), image), boxes[chosen]], dim=1))
            targets.append(soft_mask_targets(instances.masks, boxes[chosen], chosen, self.crop_size))
            supervised.append(has_mask[chosen])
        logits = self(feature, torch.cat(rois))
        return {"loss_mask": self.loss_weight * mask_cross_entropy(logits, torch.cat(targets), torch.cat(supervised))}
