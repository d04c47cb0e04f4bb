"""A model that is given its boxes: the mask branch of Deep-MAC without a detector.

Source: paper section 6, "Going detection-free", and Tables 4 and 7: all detection losses are left out,
ground-truth boxes are the input also at test time, and the result is GT-box mIoU.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.detectors.base import BaseDetector
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from psis_bench.models.interface import boxes_in_input


@MODELS.register_module()
class DetectionFree(BaseDetector):
    """Backbone, feature pyramid and mask branch; boxes come from the annotations or from the user.

    Args:
        backbone: Config of the backbone.
        neck: Config of the feature pyramid; its finest level feeds the mask branch.
        mask_branch: Config of the mask branch.
        data_preprocessor: Config of MMDetection's data preprocessor.
        init_cfg: MMEngine's initialisation config.
    """

    has_detector = False

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        mask_branch: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.mask_branch = MODELS.build(mask_branch)

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the pyramid's levels, finest first."""
        features: tuple[Tensor, ...] = self.neck(self.backbone(batch_inputs))
        return features

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[Any]) -> dict[str, Tensor]:
        """Return the mask loss on ground-truth boxes."""
        losses: dict[str, Tensor] = self.mask_branch.loss(self.extract_feat(batch_inputs)[0], batch_data_samples)
        return losses

    def detect(self, features: tuple[Tensor, ...], samples: list[Any]) -> list[InstanceData]:
        """Refuse: there is no detector."""
        raise NotImplementedError("a detection-free model finds no boxes; give it some with masks_on_boxes")

    def masks_on_boxes(self, features: tuple[Tensor, ...], samples: list[Any], boxes: list[Tensor]) -> list[Tensor]:
        """Return mask crops (N, S, S) in [0, 1] for each image's boxes, xyxy in pixels of the original image."""
        rois = [
            torch.cat([given.new_full((len(given), 1), image), boxes_in_input(given, sample)], dim=1)
            for image, (given, sample) in enumerate(zip(boxes, samples, strict=True))
        ]
        crops = self.mask_branch(features[0], torch.cat(rois)).sigmoid()
        return list(crops.split([len(given) for given in boxes]))

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

    def _forward(self, batch_inputs: Tensor, batch_data_samples: list[Any] | None = None) -> tuple[Tensor, ...]:
        return self.extract_feat(batch_inputs)
