"""A random window keeps image, boxes, masks and supervision together."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from psis_bench.engine.window_crop import RandomWindow


def sample(height: int = 60, width: int = 80) -> dict[str, Any]:
    """Return an image on which each pixel holds its place, and three instances."""
    rows, columns = np.mgrid[:height, :width]
    boxes = np.array([[2, 3, 12, 13], [30, 20, 50, 50], [70, 50, 79, 59]], np.float32)
    masks = np.zeros((3, height, width), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[y1:y2, x1:x2] = 1
    return {
        "img": np.stack([rows, columns, rows * 0], axis=2).astype(np.uint8),
        "img_shape": (height, width),
        "gt_bboxes": HorizontalBoxes(boxes),
        "gt_bboxes_labels": np.array([7, 8, 9]),
        "gt_ignore_flags": np.array([False, True, False]),
        "gt_masks": BitmapMasks(masks, height, width),
        "gt_has_mask": np.array([True, False, True]),
    }


def test_what_belongs_together_stays_together() -> None:
    kept_numbers = set()
    for seed in range(40):
        np.random.seed(seed)  # noqa: NPY002 - the transform's generator
        cut = RandomWindow(crop_size=(40, 30)).transform(sample())
        assert cut["img"].shape == (30, 40, 3)
        assert cut["img_shape"] == (30, 40)
        top, left = (int(value) for value in cut["img"][0, 0, :2])
        kept_numbers.add(len(cut["gt_has_mask"]))
        # Labels name the instances: 7, 8, 9 have masks, none, a mask.
        assert cut["gt_has_mask"].tolist() == [label != 8 for label in cut["gt_bboxes_labels"]]
        assert cut["gt_ignore_flags"].tolist() == [label == 8 for label in cut["gt_bboxes_labels"]]
        original = sample()["gt_masks"].masks
        for label, mask, box in zip(
            cut["gt_bboxes_labels"], cut["gt_masks"].masks, cut["gt_bboxes"].tensor, strict=True
        ):
            expected = original[label - 7, top : top + 30, left : left + 40]
            assert np.array_equal(mask, expected)
            y, x = np.nonzero(expected)
            assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
    assert len(kept_numbers) > 1  # some windows hold more than others


def test_a_smaller_image_stays_whole() -> None:
    cut = RandomWindow(crop_size=(100, 100)).transform(sample())
    assert cut["img"].shape == (60, 80, 3)
    assert cut["gt_has_mask"].tolist() == [True, False, True]
    assert "gt_instances_ids" not in cut
