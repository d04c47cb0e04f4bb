"""What is legal in detections and yet hardly meant: told in a note beside the scores, never refused.

Two rules, chosen so that no honest detector meets them:

* More than a tenth of the images that have objects have no detection. Detectors keep boxes of low scores, since AP
  needs them, and so leave few such images; images without objects may well be empty.
* A fifth of the boxes reach beyond their image by more than a tenth of its side. A detector that does not cut its boxes
  off passes the border by little; boxes given by two corners, or in pixels of a resized image, are far out.
"""

from __future__ import annotations

import numpy as np

from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth

_EMPTY = 0.1
_BEYOND = 0.2
_MARGIN = 0.1
_CORNERS = 0.99


def notes_on(detections: Detections, truth: GroundTruth) -> list[str]:
    """Return what a reader has to know about detections, one sentence each; of most there is nothing.

    Args:
        detections: All of them, checked.
        truth: The annotations they were made for.
    """
    return [*_empty_images(detections, truth), *_boxes_beyond(detections)]


def _empty_images(detections: Detections, truth: GroundTruth) -> list[str]:
    with_objects = np.unique(truth.images[~truth.is_crowd])
    empty = int(np.count_nonzero(~np.isin(with_objects, detections.images)))
    if empty <= _EMPTY * len(with_objects):
        return []
    return [f"{empty} of the {len(with_objects)} images that have objects have no detection"]


def _boxes_beyond(detections: Detections) -> list[str]:
    sides = detections.sizes[:, ::-1].astype(np.float64)  # width, height
    low, extent = detections.boxes[:, :2], detections.boxes[:, 2:]
    beyond = int(np.count_nonzero(((low < -_MARGIN * sides) | (low + extent > (1 + _MARGIN) * sides)).any(axis=1)))
    if not beyond or beyond < _BEYOND * len(detections):
        return []
    as_corners = np.count_nonzero(((extent >= low) & (extent <= sides + 1)).all(axis=1))
    corners = as_corners >= _CORNERS * len(detections)
    told = "they look like x1, y1, x2, y2; bbox is" if corners else "bbox is"
    return [
        f"{beyond} of {len(detections)} boxes reach far beyond their image: {told} x, y, width, height in pixels of "
        "the original image"
    ]
