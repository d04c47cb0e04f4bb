"""A model that is given its boxes: the mask branch of Deep-MAC without a detector.

Source: paper section 6, "Going detection-free", and Tables 4 and 7: all detection losses are left out,
ground-truth boxes are the input also at test time, and the result is GT-box mIoU.
"""

from __future__ import annotations

from typing import Any

from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from psis_bench.models.crop_then_segment import CropThenSegment


@MODELS.register_module()
class DetectionFree(CropThenSegment):
    """Backbone, feature pyramid and mask branch; boxes come from the annotations or from the user.

    Args:
        **kwargs: Arguments of `CropThenSegment`.
    """

    has_detector = False

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[Any]) -> dict[str, Tensor]:
        """Return the mask loss on ground-truth boxes."""
        losses: dict[str, Tensor] = self.mask_branch.loss(self.extract_feat(batch_inputs), batch_data_samples)
        return losses

    def detect(self, features: tuple[Tensor, ...], samples: list[Any]) -> list[InstanceData]:
        """Refuse: there is no detector."""
        raise NotImplementedError("a detection-free model finds no boxes; give it some with masks_on_boxes")

    def predict(self, batch_inputs: Tensor, batch_data_samples: list[Any], rescale: bool = True) -> list[Any]:
        """Return the samples with ``pred_instances.mask_crops`` on their own ground-truth boxes."""
        boxes = []
        for sample in batch_data_samples:
            given = sample.gt_instances.bboxes
            boxes.append(getattr(given, "tensor", given).to(batch_inputs))
        crops = self.masks_on_boxes(self.extract_feat(batch_inputs), batch_data_samples, boxes)
        for sample, given, masks in zip(batch_data_samples, boxes, crops, strict=True):
            sample.pred_instances = InstanceData(bboxes=given, mask_crops=masks)
        return batch_data_samples
