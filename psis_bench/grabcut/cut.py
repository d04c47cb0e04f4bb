"""The mask of the object in a box, by OpenCV's GrabCut. Nothing is learned.

Pixels around the box are background; which of those inside it are, a graph cut over two colour models decides (Rother,
Kolmogorov and Blake, *GrabCut*, SIGGRAPH 2004). No source states how Table 8's Mask GrabCut was set up: every choice
here is ours and is explained in docs/models/grabcut.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from psis_bench.errors import UserError

_MODEL = (1, 65)
"""Shape of OpenCV's colour models: five Gaussians of a weight, a mean of 3 and a covariance of 9."""

_GAUSSIANS = 5
_LEAST_SIDE = 3


@dataclass(frozen=True, kw_only=True)
class CutSettings:
    """How GrabCut is run.

    Attributes:
        iterations: Rounds of colour models and graph cut.
        margin: Width of the surroundings that are looked at on each side of the box, as a share of that side.
        least_margin: The same in pixels, where the share of a small box gives less.
        max_pixels: A larger cut-out is shrunk to about so many pixels, which bounds time and memory of a worker.
        least_background: Share of the cut-out's pixels that must lie outside the box. With fewer, as for a box that
            fills its image, the box's rim is where the search for the background begins.
        rim: Width of that rim as a share of the box's shorter side; at least one pixel.

    Raises:
        UserError: A number is too small.
    """

    iterations: int
    margin: float
    least_margin: int
    max_pixels: int
    least_background: float
    rim: float

    def __post_init__(self) -> None:
        least = {"iterations": 1, "margin": 0, "least_margin": 1, "max_pixels": 1, "least_background": 0, "rim": 0}
        for name, smallest in least.items():
            if not getattr(self, name) >= smallest:
                raise UserError(
                    f"{name}={getattr(self, name)} of GrabCut is too small", cure=f"give {smallest} or more"
                )


class PlacedMask(NamedTuple):
    """A boolean mask (h, w) whose first pixel is column ``x``, row ``y`` of the image."""

    mask: NDArray[np.bool_]
    x: int
    y: int


class CutOut(NamedTuple):
    """The surroundings of a box, cut out of its image: all that a worker has to be given.

    Attributes:
        image: uint8 (h, w, 3), shrunk where it was large.
        inside: First and last column, first and last row of the box in it, half open: x1, x2, y1, y2.
        size: Height and width of the box in pixels of the image.
        place: Column and row of the box's first pixel in the image.
    """

    image: NDArray[np.uint8]
    inside: tuple[int, int, int, int]
    size: tuple[int, int]
    place: tuple[int, int]


def cut_out(image: NDArray[np.uint8], box: tuple[float, float, float, float], settings: CutSettings) -> CutOut:
    """Cut the surroundings of a box out of its image.

    Args:
        image: uint8 (H, W, 3), channels in any order.
        box: x1, y1, x2, y2 in pixels of the image; what lies outside the image is cut off.
        settings: See `CutSettings`.

    Returns:
        A cut-out with at least the pixels whose centres are in the box; ``size`` has a 0 where there are none.
    """
    height, width = image.shape[:2]
    x1, x2 = _pixels(box[0], box[2], width)
    y1, y2 = _pixels(box[1], box[3], height)
    size, place = (y2 - y1, x2 - x1), (x1, y1)
    if not all(size):
        return CutOut(image[:0, :0], (0, 0, 0, 0), size, place)
    across, down = (max(settings.least_margin, math.ceil(settings.margin * side)) for side in (x2 - x1, y2 - y1))
    left, top = max(0, x1 - across), max(0, y1 - down)
    part = image[top : min(height, y2 + down), left : min(width, x2 + across)]
    inside = (x1 - left, x2 - left, y1 - top, y2 - top)
    scale = math.sqrt(settings.max_pixels / (part.shape[0] * part.shape[1]))
    if scale >= 1:
        return CutOut(np.ascontiguousarray(part), inside, size, place)
    rows, columns = (max(1, round(scale * side)) for side in part.shape[:2])
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    x1, x2 = _scaled(inside[0], inside[1], columns / part.shape[1], columns)
    y1, y2 = _scaled(inside[2], inside[3], rows / part.shape[0], rows)
    return CutOut(np.asarray(small, np.uint8), (x1, x2, y1, y2), size, place)


def cut(part: CutOut, settings: CutSettings) -> PlacedMask:
    """Return the mask of the object in the box of a cut-out.

    It lies in the box. A box of few pixels, and one in which GrabCut finds nothing, is its own mask. The result depends
    on the arguments alone: OpenCV's random numbers start anew for each box.
    """
    x, y = part.place
    full = PlacedMask(np.ones(part.size, np.bool_), x, y)
    x1, x2, y1, y2 = part.inside
    if min(x2 - x1, y2 - y1, *part.size) < _LEAST_SIDE:
        return full
    labels = _first_guess(part, settings)
    background = np.isin(labels, (cv2.GC_BGD, cv2.GC_PR_BGD)).sum()
    # OpenCV wants a sample for each Gaussian of both colour models.
    if min(background, labels.size - background) < _GAUSSIANS:
        return full
    cv2.setRNGSeed(0)
    models = np.zeros(_MODEL), np.zeros(_MODEL)
    # The labels are changed in place.
    cv2.grabCut(part.image, labels, (0, 0, 0, 0), *models, settings.iterations, cv2.GC_INIT_WITH_MASK)
    found = (labels[y1:y2, x1:x2] & 1).astype(np.float32)
    if found.shape != part.size:
        found = np.asarray(cv2.resize(found, part.size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    mask = found > 0.5
    return PlacedMask(mask, x, y) if mask.any() else full


def _first_guess(part: CutOut, settings: CutSettings) -> NDArray[np.uint8]:
    """Return GrabCut's labels before the first round: background outside the box, perhaps foreground inside."""
    x1, x2, y1, y2 = part.inside
    labels = np.full(part.image.shape[:2], cv2.GC_BGD, np.uint8)
    labels[y1:y2, x1:x2] = cv2.GC_PR_FGD
    if (labels == cv2.GC_BGD).sum() < max(_GAUSSIANS, settings.least_background * labels.size):
        rim = max(1, round(settings.rim * min(x2 - x1, y2 - y1)))
        labels[y1:y2, x1:x2] = cv2.GC_PR_BGD
        labels[y1 + rim : y2 - rim, x1 + rim : x2 - rim] = cv2.GC_PR_FGD
    return labels


def _pixels(start: float, stop: float, length: int) -> tuple[int, int]:
    """Return the first pixel whose centre is in [start, stop) and the one after the last, within 0 and ``length``."""
    first = min(max(math.ceil(start - 0.5), 0), length)
    return first, min(max(math.ceil(stop - 0.5), first), length)


def _scaled(first: int, last: int, scale: float, length: int) -> tuple[int, int]:
    """Return the same of a shrunk image, at least one pixel."""
    start = min(round(first * scale), length - 1)
    return start, max(start + 1, min(round(last * scale), length))
