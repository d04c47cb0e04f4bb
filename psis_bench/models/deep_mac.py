"""Deep-MAC: CenterNet with a deep class-agnostic mask head on ground-truth boxes.

Source: paper section 3, Table 3 and appendix A; official ``deepmac_meta_arch.py`` and ``center_net_meta_arch.py``.
What the parts compute, and where each differs from MMDetection or the official code, is in docs/models/deep_mac.md.
"""

from __future__ import annotations

from typing import Any

from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from psis_bench.models.crop_then_segment import CropThenSegment


@MODELS.register_module()
class DeepMac(CropThenSegment):
    """CenterNet and the mask branch on the same features, every stack of the backbone supervised by both.

    Args:
        detection_head: Config of `StackedCenterNetHead`.
        **kwargs: Arguments of `CropThenSegment`.
    """

    has_detector = True

    def __init__(self, *, detection_head: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.detection_head = MODELS.build(detection_head)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[Any]) -> dict[str, Tensor]:
        """Return the losses of detection on all boxes and of masks on the ground-truth boxes that have one."""
        features = self.extract_feat(batch_inputs)
        losses: dict[str, Tensor] = self.detection_head.loss(features, batch_data_samples)
        losses.update(self.mask_branch.loss(features, batch_data_samples))
        return losses

    def detect(self, features: tuple[Tensor, ...], samples: list[Any]) -> list[InstanceData]:
        """Return each image's highest peaks; boxes in pixels of the original image, cut off at its edges.

        As in the official code a mask is cropped from the box before it is cut off at the image's edge, where that is
        not the edge of the padded input.
        """
        decoded = self.detection_head.detect(features[-1])
        in_input = [found.boxes * self.detection_head.stride for found in decoded]
        crops = self.crops_of_input_boxes(features, in_input)
        results = []
        for found, boxes, masks, sample in zip(decoded, in_input, crops, samples, strict=True):
            height, width = sample.img_shape[:2]
            visible = boxes.minimum(boxes.new_tensor([width, height, width, height]))
            original = visible / visible.new_tensor(sample.scale_factor).repeat(2)
            results.append(InstanceData(bboxes=original, scores=found.scores, labels=found.labels, mask_crops=masks))
        return results

    def predict(self, batch_inputs: Tensor, batch_data_samples: list[Any], rescale: bool = True) -> list[Any]:
        """Return the samples with their detections as ``pred_instances``, boxes in pixels of the original image."""
        features = self.extract_feat(batch_inputs)
        for sample, found in zip(batch_data_samples, self.detect(features, batch_data_samples), strict=True):
            sample.pred_instances = found
        return batch_data_samples
