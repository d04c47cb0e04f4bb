"""Boundary IoU: how well the outlines of two masks agree, however large the objects are.

Cheng, Girshick, Dollár, Berg and Kirillov, *Boundary IoU: Improving Object-Centric Image Segmentation
Evaluation*, CVPR 2021. The boundary of a mask is what lies inside it within a distance d of its outline;
boundary IoU is the IoU of two boundaries. As in the authors' code (``boundary_utils.py`` of
https://github.com/bowenc0221/boundary-iou-api), d is 2 % of the image's diagonal, rounded half to even, at
least one pixel; the distance is that of d erosions with 3 x 3 ones, and what lies outside the image is outside
the mask, so that an object cut off by the image has a boundary there too.

d erosions with 3 x 3 ones are one with (2 d + 1) x (2 d + 1) ones. A mask too thin for that square is all
boundary, and outside of its box a mask has no pixels to erode: both keep the work to crops of large objects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from psis_bench.run_lengths import Ints, RunLengths, concatenate, pairwise_iou
from psis_bench.scoring.inputs.ground_truth import Floats

Mask = npt.NDArray[np.bool_]

RATIO = 0.02
"""Width of a boundary as a share of the image's diagonal."""


def boundary_width(height: int, width: int, *, ratio: float = RATIO) -> int:
    """Return the width in pixels of the boundaries of an image's masks, at least 1.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        ratio: Share of the diagonal.

    Example:
        >>> boundary_width(480, 640), boundary_width(375, 500)  # 2 % of 625 is 12.5, rounded to even
        (16, 12)
    """
    return max(round(ratio * math.sqrt(height**2 + width**2)), 1)


def boundary_of(mask: Mask, width: int) -> Mask:
    """Return the pixels of a mask within ``width`` pixels of its outline.

    Args:
        mask: bool (h, w): a whole image, or a crop that holds every pixel of the mask.
        width: Of the boundary, in pixels; the distance of two pixels is the larger of those in x and y.

    Example:
        >>> boundary_of(np.ones((5, 5), bool), 1).astype(int)
        array([[1, 1, 1, 1, 1],
               [1, 0, 0, 0, 1],
               [1, 0, 0, 0, 1],
               [1, 0, 0, 0, 1],
               [1, 1, 1, 1, 1]])
    """
    if min(mask.shape) <= 2 * width:
        return mask.copy()
    if mask.flags.f_contiguous and not mask.flags.c_contiguous:
        # The square is the same on its side, and crops of run lengths lie column by column.
        return boundary_of(mask.T, width).T
    import cv2

    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    inside = cv2.erode(pixels, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    # Erosion only takes pixels away.
    return np.not_equal(pixels, inside)


def boundary_iou(first: Mapping[str, Any], second: Mapping[str, Any], *, ratio: float = RATIO) -> float:
    """Return the boundary IoU of two masks, in [0, 1]; 0 when one of them is empty.

    Args:
        first: ``{"size": [height, width], "counts": list of int | str | bytes}``.
        second: Another of the same size.
        ratio: Width of the boundary as a share of the image's diagonal.

    Raises:
        ValueError: An RLE is malformed, or the two have different sizes.

    Example:
        Two discs of 20 and 18 pixels across, one inside the other, in an image of 48 x 64 pixels (d = 2):

        >>> from psis_bench.rle import encode_crop, intersection_over_union
        >>> def disc(across):
        ...     places = np.arange(across) + 0.5 - across / 2
        ...     inside = places[:, None] ** 2 + places**2 <= across**2 / 4
        ...     start = 20 - across // 2
        ...     return {"size": [48, 64], "counts": encode_crop(inside, x=start, y=start, height=48, width=64)}
        >>> round(intersection_over_union(disc(20), disc(18)), 4)
        0.8101
        >>> round(boundary_iou(disc(20), disc(18)), 4)
        0.4468
    """
    from psis_bench.rle import counts_of

    masks = [concatenate([counts_of(rle)]) for rle in (first, second)]
    sizes = [tuple(int(side) for side in rle["size"]) for rle in (first, second)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"masks of sizes {sizes[0]} and {sizes[1]} cannot be compared")
    return float(boundary_ious(masks[0], masks[1], np.array(sizes[:1], np.int64), ratio=ratio)[0])


def boundary_ious(
    first: RunLengths, second: RunLengths, sizes: Ints, *, ratio: float = RATIO, ious: Floats | None = None
) -> Floats:
    """Return the boundary IoU of the i-th mask of ``first`` with the i-th of ``second``.

    Args:
        first: N masks.
        second: N masks of the same images.
        sizes: int64 (N, 2): height and width of each pair's image.
        ratio: Width of the boundary as a share of the image's diagonal.
        ious: float64 (N,): the IoU of each pair where it is known already.

    Returns:
        float64 (N,) in [0, 1]; 0 where one of the two is empty.

    Raises:
        ValueError: The two batches differ in length or in the sizes of their images.
    """
    found = pairwise_iou(first, second) if ious is None else ious.copy()
    widths = np.array([boundary_width(*size, ratio=ratio) for size in sizes.tolist()], np.int64)
    boxes = np.stack([mask_boxes(masks, sizes[:, 0]) for masks in (first, second)])
    thick = (boxes[..., 2:].min(axis=2) > 2 * widths).any(axis=0)
    # Masks that do not meet have boundaries that do not meet; those of equal masks are equal.
    start = boxes[..., :2].min(axis=0)
    union = np.concatenate([start, (boxes[..., :2] + boxes[..., 2:]).max(axis=0) - start], axis=1)
    for pair in np.flatnonzero(thick & (found > 0) & (found < 1)):
        height, width = int(sizes[pair, 0]), int(widths[pair])
        one, other = (boundary_of(crop_of(masks[pair], union[pair], height=height), width) for masks in (first, second))
        found[pair] = np.count_nonzero(one & other) / np.count_nonzero(one | other)
    return found


def mask_boxes(masks: RunLengths, heights: Ints) -> Ints:
    """Return the box around each mask.

    Args:
        masks: N masks.
        heights: int64 (N,): height of each one's image.

    Returns:
        int64 (N, 4): x, y, width, height in whole pixels; zeros for an empty mask. A mask with a run that goes
        on from one column to the next reaches from top to bottom of its image.
    """
    boxes = np.zeros((len(masks), 4), np.int64)
    lengths = np.diff(masks.offsets)
    place = np.arange(len(masks.runs)) - np.repeat(masks.offsets[:-1], lengths)
    owner = np.repeat(np.arange(len(masks)), lengths)
    inside = (place % 2 == 1) & (masks.runs > 0)
    if not inside.any():
        return boxes
    # Runs are counted from the first pixel of the first mask; take off what lies before the own mask.
    ends = np.cumsum(masks.runs)
    before = np.append(0, ends)[masks.offsets[:-1]]
    owner, run = owner[inside], masks.runs[inside]
    start = ends[inside] - run - before[owner]
    height = heights[owner]
    left, top = np.divmod(start, height)
    right, bottom = np.divmod(start + run - 1, height)
    top[left != right], bottom[left != right] = 0, height[left != right] - 1
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    x, y = np.minimum.reduceat(left, first), np.minimum.reduceat(top, first)
    across, down = np.maximum.reduceat(right, first) + 1 - x, np.maximum.reduceat(bottom, first) + 1 - y
    boxes[owner[first]] = np.stack([x, y, across, down], axis=1)
    return boxes


def crop_of(runs: Ints, box: Ints, *, height: int) -> Mask:
    """Return a part of a mask without making the rest.

    Args:
        runs: int64 (r,): run lengths of the mask.
        box: int64 (4,): x, y, width, height of a box that holds every pixel of the mask; as high as the image when a
            run goes on from one column to the next, as `mask_boxes` has it.
        height: Height of the image in pixels.

    Returns:
        bool (box height, box width).
    """
    x, y, across, down = (int(value) for value in box)
    lengths = runs[1::2]
    starts = runs.cumsum()[: 2 * len(lengths) : 2]
    if not lengths.all():
        starts, lengths = starts[lengths > 0], lengths[lengths > 0]
    # A run stays in one piece: it lies in one column, or the crop is as high as the image.
    column = starts // height
    edges = np.empty(2 * len(starts) + 1, np.int64)
    edges[:-1:2] = starts - column * (height - down) - (x * down + y)
    edges[1::2] = edges[:-1:2] + lengths
    edges[-1] = across * down
    edges[1:] -= edges[:-1].copy()
    values = np.zeros(len(edges), bool)
    values[1::2] = True
    return values.repeat(edges).reshape(across, down).T
