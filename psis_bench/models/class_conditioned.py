"""A RoI head and a mask head that is given, beside each crop, what the box head knows of the crop's class.

In training the class is that of the ground-truth box that a crop belongs to, in prediction the detected one, and on a
given box the one that the box head sees in it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor

from psis_bench.models.deep_marc import DeepMarcRoIHead
from psis_bench.models.mask_rcnn import PlainMaskHead


class ClassConditionedMaskHead(PlainMaskHead):
    """Mask R-CNN's mask head with something beside the crops."""

    @property
    def uses_labels(self) -> bool:
        """What is beside the crops is that of a class."""
        return True

    @abstractmethod
    def logits_given(self, crops: Tensor, given: Any) -> Tensor:
        """Return logits (N, K, 2H, 2W) for crops (N, C, H, W) and what `ClassConditionedRoIHead.condition` returns."""


class ClassConditionedRoIHead(DeepMarcRoIHead):
    """Deep-MARC's RoI head with a `ClassConditionedMaskHead`."""

    @abstractmethod
    def condition(self, x: tuple[Tensor, ...], rois: Tensor, labels: Tensor, box_features: Tensor | None) -> Any:
        """Return what the mask head is given beside the crops.

        Args:
            x: Feature maps.
            rois: (N, 5): the image's place in the batch, then xyxy in input pixels.
            labels: (N,) long, the class of each crop.
            box_features: What ``bbox_feats`` of `_bbox_forward` has of the rois, if that was computed already.
        """

    def losses_of(self, logits: Tensor, given: Any, crops: list[Any], batch_gt_instances: list[Any]) -> dict[str, Any]:
        """Return ``loss_mask``, a dict of losses, of logits (N, K, H, W) and what `condition` gave of the crops."""
        del given
        losses: dict[str, Any] = self.mask_head.loss_and_target(logits, crops, batch_gt_instances, self.train_cfg)
        return losses

    def mask_loss(
        self, x: tuple[Tensor, ...], sampling_results: list[Any], bbox_feats: Tensor, batch_gt_instances: list[Any]
    ) -> dict[str, Any]:
        """Compute the losses of masks on the crops of the chosen source."""
        crops = self.training_crops(sampling_results, batch_gt_instances)
        rois = bbox2roi([of_image.pos_priors for of_image in crops])
        labels = torch.cat([of_image.pos_gt_labels for of_image in crops])
        known = bbox_feats[_positive(sampling_results)] if crops is sampling_results else None
        given = self.condition(x, rois, labels, known)
        return self.losses_of(self._logits(x, rois, given), given, crops, batch_gt_instances)

    def predict_mask(
        self,
        x: tuple[Tensor, ...],
        batch_img_metas: list[dict[str, Any]],
        results_list: list[InstanceData],
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Add mask crops to the boxes of each image."""
        rois = bbox2roi([results.bboxes for results in results_list])
        if not len(rois):
            return super().predict_mask(x, batch_img_metas, results_list, rescale)
        labels = torch.cat([results.labels for results in results_list])
        logits = self._logits(x, rois, self.condition(x, rois, labels, None))
        of_images = torch.split(logits, [len(results) for results in results_list])
        found: list[InstanceData] = self.mask_head.predict_by_feat(
            of_images, results_list, batch_img_metas, self.test_cfg, rescale
        )
        return found

    def _logits(self, x: tuple[Tensor, ...], rois: Tensor, given: Any) -> Tensor:
        crops = self.mask_roi_extractor(x[: self.mask_roi_extractor.num_inputs], rois)
        logits: Tensor = self.mask_head.logits_given(crops, given)
        return logits


def _positive(sampling_results: list[Any]) -> Tensor:
    """Return which of the sampled boxes of a batch are positive, (N,) bool; in each image those come first."""
    flags = []
    for sampled in sampling_results:
        place = torch.arange(len(sampled.pos_priors) + len(sampled.neg_priors), device=sampled.pos_priors.device)
        flags.append(place < len(sampled.pos_priors))
    return torch.cat(flags)
