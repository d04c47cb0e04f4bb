"""CenterNet's augmentation by square crops that may reach beyond the image.

Source: official ``random_square_crop_by_scale`` of ``object_detection/core/preprocessor.py``; Zhou et al., Objects as
Points (2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures.mask import BitmapMasks
from numpy.typing import NDArray


@TRANSFORMS.register_module()
class RandomSquareCrop(BaseTransform):
    """Cut a square around a random centre, black where it lies outside the image.

    Boxes are cut off at its sides, those that lie outside are dropped with all that belongs to them. A mask of which
    nothing is left stays, empty, where its box stays: as in the official code it is learned as background.

    Args:
        scales: Side of the square as a part of the image's longer side; each is as likely.
        max_border: Pixels between the image's edges and the centre; halved for a side until it is at most half of it.

    Expects and changes ``img``, ``gt_bboxes``, ``gt_bboxes_labels``, ``gt_ignore_flags``, ``gt_masks`` (BitmapMasks)
    and ``gt_has_mask``; sets ``img_shape``.
    """

    def __init__(self, *, scales: Sequence[float], max_border: int) -> None:
        self.scales = tuple(scales)
        self.max_border = max_border

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop image, boxes and masks."""
        height, width = results["img"].shape[:2]
        side = int(self.scales[np.random.randint(len(self.scales))] * max(height, width))  # noqa: NPY002 - seeded
        top, left = (self._centre(length) - side // 2 for length in (height, width))
        results["img"] = square(results["img"], top=top, left=left, side=side)
        results["img_shape"] = (side, side)
        boxes = results["gt_bboxes"]
        boxes.translate_((-left, -top))
        corners = boxes.tensor
        kept = ((corners[:, 2:] > 0) & (corners[:, :2] < side)).all(dim=1).numpy()
        boxes.clip_((side, side))
        results["gt_bboxes"] = boxes[kept]
        for name in ("gt_bboxes_labels", "gt_ignore_flags", "gt_has_mask"):
            results[name] = results[name][kept]
        masks = results["gt_masks"].masks[kept].transpose(1, 2, 0)
        cut = square(masks, top=top, left=left, side=side).transpose(2, 0, 1)
        results["gt_masks"] = BitmapMasks(np.ascontiguousarray(cut), side, side)
        return results

    def _centre(self, length: int) -> int:
        border = crop_border(self.max_border, length)
        return int(np.random.randint(border, length - border + 1))  # noqa: NPY002 - the generator that is seeded


def crop_border(largest: int, length: int) -> int:
    """Return ``largest`` divided by the smallest power of two, at most ``largest``, that leaves less than half."""
    halvings = math.ceil(math.log2(2 * largest / length))
    return min(largest // int(min(max(2.0**halvings, 1), largest)), length // 2)


def square(pixels: NDArray[Any], *, top: int, left: int, side: int) -> NDArray[Any]:
    """Return the square (side, side, C) of an array (H, W, C) that starts at (top, left), zero outside the array."""
    height, width = pixels.shape[:2]
    cut = np.zeros((side, side, *pixels.shape[2:]), pixels.dtype)
    rows = slice(max(top, 0), max(min(top + side, height), 0))
    columns = slice(max(left, 0), max(min(left + side, width), 0))
    inside = pixels[rows, columns]
    y, x = rows.start - top, columns.start - left
    cut[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return cut
