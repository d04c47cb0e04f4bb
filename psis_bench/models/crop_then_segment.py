"""What models with Deep-MAC's mask branch share, with and without a detector: features, and masks on given boxes."""

from __future__ import annotations

from typing import Any

from mmdet.models.detectors.base import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from torch import Tensor

from psis_bench.models.interface import boxes_in_input


class CropThenSegment(BaseDetector):
    """Backbone, perhaps a neck, and the mask branch of Deep-MAC.

    Args:
        backbone: Config of the backbone.
        neck: Config of what lies between it and the branch; None: the backbone's maps are used as they are.
        mask_branch: Config of the mask branch.
        data_preprocessor: Config of a data preprocessor.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        neck: dict[str, Any] | None = None,
        mask_branch: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        if neck is not None:
            self.neck = MODELS.build(neck)
        self.mask_branch = MODELS.build(mask_branch)

    @property
    def mask_grid(self) -> str:
        """The frame of mask crops: see `psis_bench.models.paste.paste_crop`."""
        return str(self.mask_branch.crop_grid)

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the maps that the mask branch takes, one for each stack: a pyramid's finest level is one."""
        maps = self.backbone(batch_inputs)
        features: tuple[Tensor, ...] = self.neck(maps) if self.with_neck else maps
        return features[: self.mask_branch.stacks]

    def masks_on_boxes(self, features: tuple[Tensor, ...], samples: list[Any], boxes: list[Tensor]) -> list[Tensor]:
        """Return mask crops (N, S, S) in [0, 1] for each image's boxes, xyxy in pixels of the original image."""
        given = [boxes_in_input(box, sample) for box, sample in zip(boxes, samples, strict=True)]
        return self.crops_of_input_boxes(features, given)

    def crops_of_input_boxes(self, features: tuple[Tensor, ...], boxes: list[Tensor]) -> list[Tensor]:
        """Return mask crops (N, S, S) in [0, 1] for each image's boxes, xyxy in pixels of the network's input."""
        crops = self.mask_branch(features[-1], bbox2roi(boxes)).sigmoid()
        return list(crops.split([len(box) for box in boxes]))

    def _forward(self, batch_inputs: Tensor, batch_data_samples: list[Any] | None = None) -> tuple[Tensor, ...]:
        return self.extract_feat(batch_inputs)
