"""ContrastMask: OPMask's activation map, and a second mask branch that learns from all classes by contrast.

Source: Wang et al., ContrastMask (CVPR 2022); official huiserwang/ContrastMask (45f0a4d), ``roi_head.py``,
``mask_head.py``, ``bbox_head.py`` and ``contrastive_head.py``. A wide crop goes through convolutions of its own whose
pixels learn, by `psis_bench.models.pixel_contrast`, to be alike on objects and unlike off them; what comes out is added
to the mask head's crop. The mask loss is on ground-truth boxes of seen classes alone, the contrastive one on all
positive boxes, where classes without masks have their activation map instead.

Shapes: N crops, C channels, S side of the wide crops.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from psis_bench.models.class_conditioned import ClassConditionedMaskHead
from psis_bench.models.deep_marc import GroundTruthCrops
from psis_bench.models.mask_heads.norm import norm_factory
from psis_bench.models.mask_loss import soft_mask_targets
from psis_bench.models.opmask import OPMaskRoIHead, resized, scaled
from psis_bench.models.pixel_contrast import blended, chosen_sets, contrastive_loss


@MODELS.register_module()
class PixelContrast(BaseModule):
    """Convolutions on wide crops, and the contrastive loss of their pixels.

    Args:
        in_channels: Channels of the crops.
        channels: Channels of the convolutions and of the projection.
        convs: Number of 3x3 convolutions.
        projections: Number of 1x1 convolutions before the loss; all but the last have batch norm.
        norm_type: ``"BN"`` or ``"SyncBN"``.
        margin: How near to 1 or 0 a map tells object from background.
        share: Part of the keys of each crop that is drawn.
        least: Keys of each kind that a crop must have in order to count.
        easy_temperature: Temperature for keys far from the contour.
        hard_temperature: Temperature for keys along it.
        loss_weight: Weight of the loss once it is fully in.
        first_share: Part of that weight at the start.
        ramp_iterations: Iterations until it is fully in; counted in a buffer, which checkpoints keep.
    """

    iterations: Tensor

    def __init__(
        self,
        *,
        in_channels: int,
        channels: int,
        convs: int,
        projections: int,
        norm_type: str,
        margin: float,
        share: float,
        least: int,
        easy_temperature: float,
        hard_temperature: float,
        loss_weight: float,
        first_share: float,
        ramp_iterations: int,
    ) -> None:
        super().__init__()
        norm = norm_factory(norm_type, eps=1e-5, momentum=0.1)
        widths = [in_channels, *[channels] * convs]
        self.encoder = nn.Sequential(*(ConvModule(i, o, 3, padding=1) for i, o in itertools.pairwise(widths)))
        self.projector = nn.Sequential()
        for _ in range(projections - 1):
            self.projector.extend([nn.Conv2d(channels, channels, 1, bias=False), norm(channels), nn.ReLU(inplace=True)])
        self.projector.append(nn.Conv2d(channels, channels, 1))
        self.margin, self.share, self.least = margin, share, least
        self.temperatures = {"easy_temperature": easy_temperature, "hard_temperature": hard_temperature}
        self.loss_weight, self.first_share, self.ramp_iterations = loss_weight, first_share, ramp_iterations
        self.register_buffer("iterations", torch.zeros((), dtype=torch.long))

    def forward(self, crops: Tensor) -> Tensor:
        """Return features (N, C', S, S) of crops (N, C, S, S)."""
        features: Tensor = self.encoder(crops)
        return features

    def loss(self, features: Tensor, *, masks: Tensor, maps: Tensor, has_mask: Tensor) -> Tensor:
        """Return the weighted loss, zero where no crop has enough of every kind of keys.

        Args:
            features: (N, C', S, S), of `forward`.
            masks: (N, S, S) bool; rows without a mask are never read.
            maps: (N, S, S) in [0, 1], without gradients; read for crops without a mask.
            has_mask: (N,) bool.
        """
        ramp = (self.first_share + (1 - self.first_share) * self.iterations / self.ramp_iterations).clamp(max=1.0)
        self.iterations += 1
        projected = self.projector(features)
        sets = chosen_sets(masks, maps, has_mask, margin=self.margin)
        kept = sets.enough(self.least)
        if not bool(kept.any()):
            return 0.0 * projected.sum()
        loss = contrastive_loss(projected[kept], sets.of(kept), share=self.share, **self.temperatures)
        return self.loss_weight * ramp * loss


@MODELS.register_module()
class ContrastMaskHead(ClassConditionedMaskHead):
    """Mask R-CNN's head on crops to which OPMask's map and the pixels of the wide crops are added.

    Args:
        pixel_channels: Channels of the latter.
        **kwargs: Arguments of `ClassConditionedMaskHead`.
    """

    def __init__(self, *, pixel_channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fuse = nn.Conv2d(pixel_channels, kwargs["in_channels"], 1)

    def logits_given(self, crops: Tensor, given: tuple[Tensor, Tensor]) -> Tensor:
        """Return logits (N, K, 2H, 2W) for crops (N, C, H, W), maps (N, 1, H', W') and pixels (N, C', S, S)."""
        maps, pixels = given
        size = crops.shape[-2:]
        logits: Tensor = self(crops + self.fuse(resized(blended(pixels), size)) + resized(scaled(maps), size))
        return logits


@MODELS.register_module()
class ContrastMaskRoIHead(OPMaskRoIHead):
    """OPMask's RoI head with a wide crop beside each crop, and a contrastive loss on it.

    Args:
        wide_roi_extractor: Config of the wide crops' RoI extractor.
        contrast: Config of `PixelContrast`.
        **kwargs: Arguments of `OPMaskRoIHead`.
    """

    def __init__(self, *, wide_roi_extractor: dict[str, Any], contrast: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wide_roi_extractor = MODELS.build(wide_roi_extractor)
        self.contrast = MODELS.build(contrast)

    def condition(
        self, x: tuple[Tensor, ...], rois: Tensor, labels: Tensor, box_features: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the activation maps (N, 1, H, W) and the pixels (N, C', S, S), which do not train what is below."""
        wide = self.wide_roi_extractor(x[: self.wide_roi_extractor.num_inputs], rois)
        return super().condition(x, rois, labels, box_features), self.contrast(wide.detach())

    def losses_of(
        self, logits: Tensor, given: tuple[Tensor, Tensor], crops: list[Any], batch_gt_instances: list[Any]
    ) -> dict[str, Any]:
        """Return the mask loss of the ground-truth boxes and the contrastive loss of all boxes."""
        maps, pixels = given
        size = pixels.shape[-1]
        targets, has_mask, exact, at_gt = [], [], [], []
        for of_image, instances in zip(crops, batch_gt_instances, strict=True):
            chosen = of_image.pos_assigned_gt_inds
            targets.append(soft_mask_targets(instances.masks, of_image.pos_priors, chosen, size))
            has_mask.append(instances.has_mask.to(chosen.device)[chosen])
            is_gt = torch.ones_like(chosen, dtype=torch.bool)
            if not isinstance(of_image, GroundTruthCrops):
                is_gt = of_image.pos_is_gt.bool()
            at_gt.append(is_gt)
            exact.append(GroundTruthCrops(of_image.pos_priors[is_gt], chosen[is_gt], of_image.pos_gt_labels[is_gt]))
        losses = super().losses_of(logits[torch.cat(at_gt)], given, exact, batch_gt_instances)
        # The map tells the contrast where to look, and learns nothing from it.
        wide_maps = scaled(resized(maps.detach(), pixels.shape[-2:]))[:, 0]
        losses["loss_mask"]["loss_contrast"] = self.contrast.loss(
            pixels, masks=torch.cat(targets) >= 0.5, maps=wide_maps, has_mask=torch.cat(has_mask)
        )
        return losses
