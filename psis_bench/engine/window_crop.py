"""A random window of an image that is larger than the network's input, with boxes, masks and their supervision.

Source: official ``preprocess_ops.resize_and_crop_image`` with ``aug_scale_min`` and ``aug_scale_max``: an image scaled
beyond the output's size is cut to it at a random place. Smaller images stay whole and are padded in their batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mmdet.datasets.transforms import RandomCrop
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomWindow(RandomCrop):
    """Cut a window of at most ``crop_size`` pixels; boxes are cut off at its edges, those outside are dropped.

    Expects and changes what `mmdet.datasets.transforms.RandomCrop` does, and ``gt_has_mask``, which that drops nothing
    of. An image of which no box is left is passed on without any.

    Args:
        crop_size: (width, height) in pixels.
    """

    def __init__(self, *, crop_size: tuple[int, int]) -> None:
        super().__init__(crop_size=tuple(crop_size), crop_type="absolute", allow_negative_crop=True)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cut image, boxes, labels, masks and ``gt_has_mask``."""
        # The base class keeps what belongs to the instances that stay, of this field too, by which they are known.
        results["gt_instances_ids"] = np.arange(len(results["gt_has_mask"]))
        cut: dict[str, Any] = super().transform(results)
        cut["gt_has_mask"] = cut["gt_has_mask"][cut.pop("gt_instances_ids")]
        return cut
