"""GT-box mIoU by kind of object: small or large, tall or wide, animal or vehicle; of seen and unseen classes.

The masks of a part of the objects, e.g. the wide ones, are averaged as those of all: over the instances of a class,
then over the classes of the group that have any. Everything is read from the records of the instances, so that it can
be done for any finished run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from psis_bench.run_lengths import Ints
from psis_bench.scoring.inputs.ground_truth import Floats
from psis_bench.scoring.masks.gt_box_iou import mean_iou
from psis_bench.scoring.results.details import PartQuality

COLUMNS = {
    "iou": "gt_box_miou",
    "boundary_iou": "boundary_miou",
    "full_box_iou": "full_box",
    "ellipse_iou": "ellipse",
}
"""Columns of ``per_instance.parquet`` that are averaged, and what their means are called."""


def sizes_of(areas: Floats) -> npt.NDArray[np.str_]:
    """Name the size of each object: COCO's sizes, but that each object has one, as in COCO's AP it may have two.

    Args:
        areas: float64 (n,): pixels of the masks.

    Example:
        >>> sizes_of(np.array([1023.0, 1024.0, 9215.0, 9216.0])).tolist()
        ['small', 'medium', 'medium', 'large']
    """
    return np.array(["small", "medium", "large"])[np.searchsorted([32.0**2, 96.0**2], areas, side="right")]


def aspects_of(widths: Floats, heights: Floats) -> npt.NDArray[np.str_]:
    """Name the shape of each box: at least twice as wide as high, at least twice as high as wide, or neither.

    Args:
        widths: float64 (n,): of the boxes, in pixels.
        heights: float64 (n,).

    Example:
        >>> aspects_of(np.array([10.0, 20.0, 19.0]), np.array([20.0, 10.0, 10.0])).tolist()
        ['tall', 'wide', 'compact']
    """
    wide, tall = widths >= 2 * heights, heights >= 2 * widths
    return np.select([wide & ~tall, tall & ~wide], ["wide", "tall"], "compact")


def quality_by_part(
    values: Mapping[str, Floats],
    *,
    categories: Ints,
    axes: Mapping[str, Sequence[str] | npt.NDArray[np.str_]],
    groups: Mapping[str, Sequence[int]],
) -> list[PartQuality]:
    """Average the masks of every part of the objects.

    Args:
        values: Columns of `COLUMNS` -> float64 (n,) in [0, 1]; others are left aside.
        categories: int64 (n,): category ids.
        axes: Axis -> the part that each object belongs to, (n,); an empty text belongs to none.
        groups: Group -> its category ids.

    Returns:
        One for each axis, part and group that has such objects, in that order.
    """
    known = {COLUMNS[name]: column for name, column in values.items() if name in COLUMNS and not np.isnan(column).any()}
    return list(_rows(known, categories, {axis: np.asarray(parts) for axis, parts in axes.items()}, groups))


def _rows(
    values: Mapping[str, Floats],
    categories: Ints,
    axes: Mapping[str, npt.NDArray[np.str_]],
    groups: Mapping[str, Sequence[int]],
) -> Iterator[PartQuality]:
    for axis, parts in axes.items():
        for part in _in_order(axis, parts):
            for group, ids in groups.items():
                chosen = (parts == part) & np.isin(categories, list(ids))
                own = categories[chosen]
                if not len(own):
                    continue
                means = {name: mean_iou(column[chosen], own, ids) for name, column in values.items()}
                yield PartQuality(
                    axis=axis,
                    part=part,
                    group=group,
                    classes=len(set(own.tolist())),
                    instances=len(own),
                    means={
                        name: (float(mean.class_mean or 0.0), float(mean.instance_mean or 0.0))
                        for name, mean in means.items()
                    },
                )


def _in_order(axis: str, parts: npt.NDArray[np.str_]) -> list[str]:
    there = sorted(set(parts.tolist()) - {""})
    order = {"size": ["small", "medium", "large"], "aspect": ["tall", "compact", "wide"]}.get(axis, there)
    return [part for part in order if part in there]
