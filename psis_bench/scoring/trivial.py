"""The two rows every mask head has to beat: fill the ground-truth box, or the ellipse inscribed in it.

Pixel (row r, column c) has its centre at (c + 0.5, r + 0.5). With a box x, y, w, h in absolute pixels,
a pixel belongs to

* the full box when ``x <= c + 0.5 < x + w`` and ``y <= r + 0.5 < y + h``;
* the ellipse when ``((c + 0.5 - x - w / 2) / (w / 2))² + ((r + 0.5 - y - h / 2) / (h / 2))² <= 1``.

What lies outside the image is cut off. A box between the pixel centres has no pixel, so its IoU is 0.
"""

from __future__ import annotations

import numpy as np

from psis_bench.run_lengths import Ints, RunLengths, from_spans, pairwise_iou
from psis_bench.scoring.ground_truth import Floats, GroundTruth

_INSTANCES_AT_A_TIME = 4096


def trivial_ious(truth: GroundTruth) -> tuple[Floats, Floats]:
    """Return the IoU of the full box and of the inscribed ellipse with every scored instance's mask.

    Returns:
        Full box and ellipse, each float64 (n,) in [0, 1], in the order of ``truth.instances``.
    """
    boxes = truth.boxes[truth.instances]
    sizes = truth.sizes_of(truth.images[truth.instances])
    full, ellipse = np.zeros(len(boxes)), np.zeros(len(boxes))
    for first in range(0, len(boxes), _INSTANCES_AT_A_TIME):
        chosen = np.arange(first, min(first + _INSTANCES_AT_A_TIME, len(boxes)))
        masks = truth.instance_masks.take(chosen)
        full[chosen] = pairwise_iou(box_masks(boxes[chosen], sizes[chosen], ellipse=False), masks)
        ellipse[chosen] = pairwise_iou(box_masks(boxes[chosen], sizes[chosen], ellipse=True), masks)
    return full, ellipse


def full_box_ious(truth: GroundTruth, boxes: Floats) -> Floats:
    """Return the IoU of masks that fill given boxes with every scored instance's mask.

    Args:
        truth: The annotations.
        boxes: float64 (n, 4): xywh, one for each of ``truth.instances``.

    Returns:
        float64 (n,) in [0, 1].
    """
    sizes = truth.sizes_of(truth.images[truth.instances])
    found = np.zeros(len(boxes))
    for first in range(0, len(boxes), _INSTANCES_AT_A_TIME):
        chosen = np.arange(first, min(first + _INSTANCES_AT_A_TIME, len(boxes)))
        masks = truth.instance_masks.take(chosen)
        found[chosen] = pairwise_iou(box_masks(boxes[chosen], sizes[chosen], ellipse=False), masks)
    return found


def box_masks(boxes: Floats, sizes: Ints, *, ellipse: bool) -> RunLengths:
    """Rasterise boxes, or the ellipses inscribed in them, column by column.

    Args:
        boxes: float64 (N, 4): xywh, absolute pixels.
        sizes: int64 (N, 2): height and width of each one's image.
        ellipse: The inscribed ellipse instead of the box.

    Returns:
        N masks; runs of no pixels may lie between others.
    """
    x, y, width, height = boxes.T
    first = np.clip(np.ceil(x - 0.5), 0, sizes[:, 1]).astype(np.int64)
    stop = np.clip(np.ceil(x + width - 0.5), 0, sizes[:, 1]).astype(np.int64)
    columns = np.maximum(stop - first, 0)
    ends = np.cumsum(columns)
    box = np.repeat(np.arange(len(boxes)), columns)
    column = np.arange(len(box)) - np.repeat(ends - columns, columns) + first[box]
    if ellipse:
        across = (column + 0.5 - x[box] - width[box] / 2) / (width[box] / 2)
        reach = height[box] / 2 * np.sqrt(np.maximum(1 - across**2, 0))
        middle = y[box] + height[box] / 2
        top, bottom = np.ceil(middle - reach - 0.5), np.floor(middle + reach - 0.5) + 1
    else:
        top, bottom = np.ceil(y[box] - 0.5), np.ceil(y[box] + height[box] - 0.5)
    rows = sizes[box, 0]
    top = np.clip(top, 0, rows).astype(np.int64)
    bottom = np.maximum(np.clip(bottom, 0, rows).astype(np.int64), top)
    return from_spans(column * rows + top, column * rows + bottom, columns, sizes[:, 0] * sizes[:, 1])
