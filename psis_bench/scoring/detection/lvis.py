"""LVIS's detection scores: COCO's, where a detection counts only in images that say something about its class.

The ``lvis`` package (https://github.com/lvis-dataset/lvis-api, ``LVISEval``) is the definition. Beyond COCO,

* at most 300 detections an image count, over all classes, and no lower limit is scored;
* a detection of a class that its image neither has nor is known not to have is left out;
* a detection that finds nothing is neither right nor wrong where not every object of its class is drawn;
* annotations and detections without an area (on record; of the box; of the mask) are left out;
* there are no crowds: ``iscrowd`` is not read.

AP of rare, common and frequent classes is that of groups like any other (`psis_bench.data.lvis.Federation.groups`).
hotcoco gives the same arrays and is used where it is installed; elsewhere `psis_bench.scoring.detection.curves` does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from psis_bench.data.lvis import Federation
from psis_bench.run_lengths import Ints
from psis_bench.scoring.detection.average_precision import DetectionTables, no_curves, tables_of
from psis_bench.scoring.detection.class_parts import by_classes
from psis_bench.scoring.detection.curves import Curves, curves_of
from psis_bench.scoring.detection.hotcoco_engine import federated_by_hotcoco
from psis_bench.scoring.detection.pairs import Measure
from psis_bench.scoring.detection.sides import detections_side, objects_side
from psis_bench.scoring.engine import Engine, hotcoco_is_usable
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import Flags, GroundTruth
from psis_bench.splits.protocol import ResolvedSplit
from psis_bench.splits.synsets import COCO_SYNSETS, categories_of

LIMIT = 300
"""Detections an image that LVIS counts."""

_AT_ONCE = 250_000
"""Detections that are looked up at a time, since a file of LVIS's size has millions."""


def evaluate_lvis(
    truth: GroundTruth,
    detections: Detections,
    federation: Federation,
    *,
    measure: Measure,
    max_detections: int = LIMIT,
    engine: Engine = "auto",
) -> DetectionTables:
    """Evaluate detections as LVIS does, over all classes and images of the annotation file.

    Args:
        truth: The annotations. Unless boxes are compared, those without a segmentation are left out.
        detections: Checked detections, at most ``max_detections`` an image. Unless boxes are compared, those without
            a mask are left out.
        federation: What is known about which images.
        measure: ``bbox`` compares boxes, ``segm`` masks, ``boundary`` masks and their boundaries.
        max_detections: 300, unless the split says otherwise.
        engine: ``auto`` is hotcoco where it can be used and our own evaluation elsewhere.

    Raises:
        UserError: ``engine="hotcoco"`` cannot be used here.
    """
    counted = _counted(truth, measure)
    detections = detections.without_masks() if measure == "bbox" else detections
    sought = _sought(counted, detections, federation, measure)
    limits = (max_detections,)
    if not len(truth.category_ids) or not len(truth.image_ids):
        curves = no_curves(len(truth.category_ids), 1)
    elif measure != "boundary" and max_detections <= LIMIT and hotcoco_is_usable(engine):
        curves = by_classes(
            counted, sought, lambda part, found: federated_by_hotcoco(part, found, measure, _of(federation, part))
        )
    else:
        curves = _own_curves(counted, sought, federation, measure, max_detections)
    return tables_of(truth, curves, limits=limits, max_detections=max_detections)


def _own_curves(
    truth: GroundTruth, detections: Detections, federation: Federation, measure: Measure, limit: int
) -> Curves:
    masks = measure != "bbox"
    found = detections_side(truth, detections, masks=masks, by_class=True, limit=limit)
    return curves_of(
        found,
        objects_side(truth, masks=masks, by_class=True),
        measure=measure,
        classes=len(truth.category_ids),
        images=len(truth.image_ids),
        limits=(limit,),
        forgiven=np.isin(found.groups, _places(truth, *federation.not_exhaustive.T)),
    )


def _counted(truth: GroundTruth, measure: Measure) -> GroundTruth:
    """Return the annotations that LVIS looks at, none of them a crowd."""
    kept = truth.areas > 0
    if measure != "bbox":
        kept &= truth.has_segmentation
    counted = truth.where(kept)
    return replace(counted, is_crowd=np.zeros(len(counted.is_crowd), bool))


def _of(federation: Federation, truth: GroundTruth) -> Federation:
    """Return what is known about the classes of ``truth``, which may be some of the file's."""
    absent, not_exhaustive = federation.absent, federation.not_exhaustive
    return replace(
        federation,
        absent=absent[np.isin(absent[:, 1], truth.category_ids)],
        not_exhaustive=not_exhaustive[np.isin(not_exhaustive[:, 1], truth.category_ids)],
    )


def _sought(truth: GroundTruth, detections: Detections, federation: Federation, measure: Measure) -> Detections:
    """Return the detections of classes that their image has, or is known not to have."""
    kept = are_known(truth, detections, federation)
    if measure == "bbox":
        kept &= detections.boxes[:, 2] * detections.boxes[:, 3] > 0
    else:
        kept &= detections.has_mask
        kept[np.flatnonzero(detections.has_mask)] &= detections.mask_areas > 0
    return detections.where(kept)


def are_known(truth: GroundTruth, detections: Detections, federation: Federation) -> Flags:
    """Tell which detections are of a class that their image has, or is known not to have, bool (n,)."""
    known = np.union1d(_places(truth, truth.images, truth.categories), _places(truth, *federation.absent.T))
    kept = np.zeros(len(detections), bool)
    for first in range(0, len(kept), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        kept[part] = np.isin(_places(truth, detections.images[part], detections.categories[part]), known)
    return kept


def _places(truth: GroundTruth, images: Ints, categories: Ints) -> Ints:
    """Return one number for an image and a class, as `psis_bench.scoring.detection.sides` numbers groups."""
    classes = np.searchsorted(truth.category_ids, categories)
    return np.asarray(classes * len(truth.image_ids) + np.searchsorted(truth.image_ids, images), np.int64)


def groups_of(resolved: ResolvedSplit, federation: Federation | None) -> dict[str, list[int]]:
    """Return the category ids of every group that is scored.

    An LVIS file adds ``frequent``, ``common`` and ``rare`` and, unless these are the seen and unseen classes, ``coco``
    (classes with the synset of one of COCO's 80) and ``not_coco``.
    """
    groups = resolved.groups()
    if federation is None:
        return groups
    groups |= federation.groups()
    coco, _ = categories_of(COCO_SYNSETS, federation.synsets)
    if federation.synsets and coco != resolved.seen_ids:
        groups |= {"coco": sorted(coco), "not_coco": sorted(set(resolved.names) - coco)}
    return {name: ids for name, ids in groups.items() if ids}


def absence(resolved: ResolvedSplit, federation: Federation | None) -> list[str]:
    """Return a sentence on the COCO classes that an LVIS file does not have, if there are any."""
    if federation is None or not federation.synsets:
        return []
    missing = resolved.absent or categories_of(COCO_SYNSETS, federation.synsets)[1]
    listed = ", ".join(f"{name} ({COCO_SYNSETS[name]})" for name in missing)
    verb = "has" if len(missing) == 1 else "have"
    return [f"{len(missing)} of COCO's 80 classes {verb} no category of that synset here: {listed}"] if missing else []
