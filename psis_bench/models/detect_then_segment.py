"""A one-stage detector of MMDetection and a mask branch that segments what is in given boxes.

The detector is MMDetection's own, untouched. The branch learns on ground-truth boxes and is asked for masks on detected
or given ones.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from psis_bench.models.interface import boxes_in_input


@MODELS.register_module()
class DetectThenSegment(SingleStageDetector):
    """A one-stage detector with a mask branch on the same pyramid.

    Args:
        mask_branch: Config of a branch with ``loss(features, samples)``, ``crops(features, samples, boxes)`` and
            ``frames(boxes, height, width)``, as `psis_bench.models.shapemask_branch.ShapeMaskBranch` has them.
        **kwargs: Arguments of `mmdet.models.SingleStageDetector`.
    """

    has_detector = True

    def __init__(self, *, mask_branch: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_branch = MODELS.build(mask_branch)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[Any]) -> dict[str, Tensor]:
        """Return the losses of detection on all boxes and of masks on the boxes that have one."""
        features = self.extract_feat(batch_inputs)
        losses: dict[str, Tensor] = self.bbox_head.loss(features, batch_data_samples)
        losses.update(self.mask_branch.loss(features, batch_data_samples))
        return losses

    def detect(self, features: tuple[Tensor, ...], samples: list[Any]) -> list[InstanceData]:
        """Return each image's detections, boxes in pixels of the original image."""
        found: list[InstanceData] = self.bbox_head.predict(features, samples, rescale=True)
        crops = self.masks_on_boxes(features, samples, [results.bboxes for results in found])
        for results, masks in zip(found, crops, strict=True):
            results.mask_crops = masks
        return found

    def masks_on_boxes(self, features: tuple[Tensor, ...], samples: list[Any], boxes: list[Tensor]) -> list[Tensor]:
        """Return mask crops (N, S, S) in [0, 1] for each image's boxes, xyxy in pixels of the original image."""
        given = [boxes_in_input(box, sample) for box, sample in zip(boxes, samples, strict=True)]
        crops: list[Tensor] = self.mask_branch.crops(features, samples, given)
        return crops

    def mask_frames(self, boxes: Tensor, height: int, width: int) -> Tensor:
        """Return the boxes (N, 4) that mask crops cover; see `psis_bench.models.interface.MaskPredictor`."""
        return torch.as_tensor(self.mask_branch.frames(boxes, height, width))

    def predict(self, batch_inputs: Tensor, batch_data_samples: list[Any], rescale: bool = True) -> list[Any]:
        """Return the samples with their detections as ``pred_instances``, boxes in pixels of the original image."""
        features = self.extract_feat(batch_inputs)
        for sample, found in zip(batch_data_samples, self.detect(features, batch_data_samples), strict=True):
            sample.pred_instances = found
        return batch_data_samples
