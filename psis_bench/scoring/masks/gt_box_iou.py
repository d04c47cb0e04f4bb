"""GT-box mIoU: masks predicted on ground-truth boxes against the masks drawn by people, no detector involved.

Scored are the instances that are no crowd and have a mask in the annotation file. The primary number is
the mean over the instances of a class, then over the classes that have any, which fits the tables of the
Deep-MAC paper; the plain mean over instances stands beside it. IoU is taken from run lengths.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from psis_bench.errors import UserError
from psis_bench.run_lengths import Ints, RunLengths, pairwise_iou
from psis_bench.scoring.engine import Engine, hotcoco_is_usable
from psis_bench.scoring.inputs.detections import check_ids_and_sizes
from psis_bench.scoring.inputs.ground_truth import Flags, Floats, GroundTruth, places_in
from psis_bench.scoring.inputs.mask_texts import MaskTexts, rles_of
from psis_bench.scoring.inputs.records import Records
from psis_bench.scoring.masks.boundary import boundary_ious
from psis_bench.scoring.results.mean_iou import MeanIou


def gt_box_ious(batches: Iterable[Records], truth: GroundTruth, *, engine: Engine = "auto") -> Floats:
    """Return the IoU of every scored instance's predicted mask with its ground truth.

    Predictions for annotations that are not scored (crowds, annotations without a mask) are checked and
    left aside.

    Args:
        batches: Records of kind ``gt_box_masks``.
        truth: The annotations they were made for.
        engine: Who compares the masks, once they are checked: hotcoco where it can be used, elsewhere our own run
            lengths. The numbers are the same.

    Returns:
        float64 (n,) in [0, 1], in the order of ``truth.instances``.

    Raises:
        UserError: A prediction is malformed, of an unknown annotation, there twice, or missing; names
            file, row and field, or the instance.
    """
    ious = np.zeros(len(truth.instances))
    by_hotcoco = hotcoco_is_usable(engine)
    sizes = truth.sizes_of(truth.images[truth.instances])
    for targets, records, rows in _matched(batches, truth):
        if by_hotcoco:
            characters, offsets, measured = records.checked_characters()
            listed = list(MaskTexts([(characters, offsets)]))
            there = np.flatnonzero(measured.areas[rows] > 0)  # an empty mask has nothing in common with any other
            found, drawn = rows[there].tolist(), truth.instances[targets[there]].tolist()
            ious[targets[there]] = paired_ious(
                [listed[row] for row in found], [truth.strings[place] for place in drawn], sizes[targets[there]]
            )
        else:
            ious[targets] = pairwise_iou(records.masks().take(rows), truth.instance_masks.take(targets))
    return ious


def gt_box_and_boundary_ious(batches: Iterable[Records], truth: GroundTruth) -> tuple[Floats, Floats]:
    """Return what `gt_box_ious` does, and the boundary IoU of the same masks, in one reading.

    Returns:
        IoU and boundary IoU, each float64 (n,) in [0, 1], in the order of ``truth.instances``.

    Raises:
        UserError: As `gt_box_ious`.
    """
    ious, boundaries = np.zeros(len(truth.instances)), np.zeros(len(truth.instances))
    sizes = truth.sizes_of(truth.images[truth.instances])
    for targets, records, rows in _matched(batches, truth):
        masks = records.masks().take(rows)
        drawn = truth.instance_masks.take(targets)
        ious[targets] = pairwise_iou(masks, drawn)
        boundaries[targets] = boundary_ious(masks, drawn, sizes[targets], ious=ious[targets])
    return ious, boundaries


def masks_and_ious(
    batches: Iterable[Records], truth: GroundTruth, *, boundary: bool
) -> tuple[RunLengths, Floats, Floats | None]:
    """Return the masks themselves, their IoU and, if asked for, their boundary IoU, in one reading.

    Returns:
        What `masks_on_boxes` does, and what `gt_box_and_boundary_ious` does.

    Raises:
        UserError: As `gt_box_ious`.
    """
    masks, drawn = masks_on_boxes(batches, truth), truth.instance_masks
    ious = pairwise_iou(masks, drawn)
    sizes = truth.sizes_of(truth.images[truth.instances])
    return masks, ious, boundary_ious(masks, drawn, sizes, ious=ious) if boundary else None


def masks_on_boxes(batches: Iterable[Records], truth: GroundTruth) -> RunLengths:
    """Return the predicted mask of every scored instance, in the order of ``truth.instances``.

    Raises:
        UserError: As `gt_box_ious`.
    """
    found = [(targets, records.masks().take(rows)) for targets, records, rows in _matched(batches, truth)]
    runs = np.concatenate([masks.runs for _, masks in found] or [np.zeros(0, np.int64)])
    lengths = np.concatenate([np.diff(masks.offsets) for _, masks in found] or [np.zeros(0, np.int64)])
    targets = np.concatenate([targets for targets, _ in found] or [np.zeros(0, np.int64)])
    together = RunLengths(runs=runs, offsets=np.append(np.zeros(1, np.int64), np.cumsum(lengths)))
    return together.take(np.argsort(targets))


def mean_iou(ious: Floats, categories: Ints, category_ids: Collection[int]) -> MeanIou:
    """Average IoUs over a group of classes.

    Args:
        ious: float64 (n,).
        categories: int64 (n,): the category of each.
        category_ids: The classes of the group; those without instances do not count.

    Example:
        Three instances of class 1, one of class 2, none of class 3:

        >>> means = mean_iou(np.array([0.6, 0.7, 0.8, 0.3]), np.array([1, 1, 1, 2]), [1, 2, 3])
        >>> round(means.class_mean, 4), round(means.instance_mean, 4)
        (0.5, 0.6)
    """
    classes = [ious[categories == category] for category in sorted(category_ids)]
    means = [float(np.mean(values)) for values in classes if len(values)]
    chosen = ious[np.isin(categories, list(category_ids))]
    return MeanIou(
        class_mean=float(np.mean(means)) if means else None,
        instance_mean=float(np.mean(chosen)) if len(chosen) else None,
    )


def _matched(batches: Iterable[Records], truth: GroundTruth) -> Iterator[tuple[Ints, Records, Ints]]:
    """Yield places in ``truth.instances``, and the rows with the masks predicted for them; all have one at the end."""
    order = np.argsort(truth.annotation_ids, kind="stable")
    ascending = truth.annotation_ids[order]
    scored = np.full(len(order), -1, np.int64)
    scored[truth.instances] = np.arange(len(truth.instances))
    seen = np.zeros(len(order), bool)
    for records in batches:
        check_ids_and_sizes(records, truth)
        places, known = places_in(ascending, records.column("annotation_id"))
        records.refuse(~known, "annotation_id", f"{truth.path.name} has no annotation {{}}")
        places = order[places]
        _check_belonging(records, truth, places)
        records.refuse(
            seen[places] | _repeated(places), "annotation_id", "the prediction for annotation {} is there twice"
        )
        seen[places] = True
        rows = np.flatnonzero(scored[places] >= 0)
        yield scored[places[rows]], records, rows
    missing = truth.instances[~seen[truth.instances]]
    if len(missing):
        annotation, image = truth.annotation_ids[missing[0]], truth.images[missing[0]]
        raise UserError(
            f"no predicted mask for annotation {annotation} of image {image}"
            + (f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""),
            where=str(truth.path),
            cure="predict again on this annotation file",
        )


def _check_belonging(records: Records, truth: GroundTruth, places: Ints) -> None:
    for field, column in (("image_id", truth.images), ("category_id", truth.categories)):
        wrong = records.column(field) != column[places]
        if wrong.any():
            row = int(np.argmax(wrong))
            annotation, expected = truth.annotation_ids[places[row]], column[places[row]]
            found = records.column(field)[row]
            what = f"is {found}, but annotation {annotation} of {truth.path.name} has {expected}"
            raise records.error(row, field, what)


def _repeated(places: Ints) -> Flags:
    """Tell which values have been there before, bool (n,)."""
    again = np.ones(len(places), bool)
    again[np.unique(places, return_index=True)[1]] = False
    return again


def paired_ious(first: Sequence[str], second: Sequence[str], sizes: Ints) -> Floats:
    """Return the IoU of pairs of masks by hotcoco, float64 (n,); to be called where `hotcoco_is_usable`.

    Args:
        first: Compressed run lengths that have been checked, of masks that have pixels.
        second: Those of the other masks.
        sizes: int64 (n, 2): height and width of each pair's image.
    """
    import hotcoco

    iou = hotcoco.mask.iou
    pairs = zip(rles_of(first, sizes), rles_of(second, sizes), strict=True)
    return np.array([iou([one], [other], [0])[0, 0] for one, other in pairs], np.float64)
