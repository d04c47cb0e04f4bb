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
from psis_bench.scoring.inputs.ground_truth import Flags, GroundTruth

_EMPTY = 0.1
_BEYOND = 0.2
_MARGIN = 0.1
_CORNERS = 0.99
_AT_A_TIME = 8192


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
    # Some thousand at a time: of millions the columns between would take memory, and time to fetch it.
    parts = [slice(first, first + _AT_A_TIME) for first in range(0, len(detections), _AT_A_TIME)]
    beyond = sum(int(np.count_nonzero(_is_beyond(detections, part))) for part in parts)
    if not beyond or beyond < _BEYOND * len(detections):
        return []
    as_corners = sum(int(np.count_nonzero(_fits_as_corners(detections, part))) for part in parts)
    told = "they look like x1, y1, x2, y2; bbox is" if as_corners >= _CORNERS * len(detections) else "bbox is"
    return [
        f"{beyond} of {len(detections)} boxes reach far beyond their image: {told} x, y, width, height in pixels of "
        "the original image"
    ]


def _is_beyond(detections: Detections, part: slice) -> Flags:
    x, y, width, height = detections.boxes[part].T
    down, across = detections.sizes[part].T
    low = (x < -_MARGIN * across) | (y < -_MARGIN * down)
    found: Flags = low | (x + width > (1 + _MARGIN) * across) | (y + height > (1 + _MARGIN) * down)
    return found


def _fits_as_corners(detections: Detections, part: slice) -> Flags:
    x1, y1, x2, y2 = detections.boxes[part].T
    down, across = detections.sizes[part].T
    found: Flags = (x2 >= x1) & (y2 >= y1) & (x2 <= (1 + _MARGIN) * across) & (y2 <= (1 + _MARGIN) * down)
    return found
