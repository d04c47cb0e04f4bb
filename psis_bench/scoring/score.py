"""One call from predictions and annotations to the scores of every group of classes.

An image of 10 x 20 pixels with a cat in its first six columns and a dog in its last six. The cat is
found exactly, of the dog only four columns: IoU 4 / 6, which is enough at 4 of the 10 thresholds.

>>> def mask(*counts):
...     return {"size": [10, 20], "counts": list(counts)}  # pixels outside, inside, outside, column by column
>>> cat = {"image_id": 1, "category_id": 1, "segmentation": mask(0, 60, 140)}
>>> dog = {"image_id": 1, "category_id": 2, "segmentation": mask(140, 60)}
>>> annotations = {
...     "images": [{"id": 1, "file_name": "1.jpg", "height": 10, "width": 20}],
...     "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
...     "annotations": [{**cat, "id": 1, "bbox": [0, 0, 6, 10]}, {**dog, "id": 2, "bbox": [14, 0, 6, 10]}],
... }
>>> results = [{**cat, "score": 0.9}, {**dog, "score": 0.8, "segmentation": mask(160, 40)}]
>>> from psis_bench.splits import SplitProtocol
>>> split = SplitProtocol(name="pets", version=1, seen=("cat",), unseen=("dog",), description="")
>>> scores = score_predictions(results, annotations=annotations, split=split)
>>> {name: round(group.mask.ap, 4) for name, group in scores.groups.items()}
{'all': 0.7, 'seen': 1.0, 'unseen': 0.4}
>>> scores.groups["unseen"].mask.ap75, scores.groups["unseen"].full_box.class_mean
(0.0, 1.0)
>>> scores.notes
('GT-box mIoU left out: there are no masks predicted on ground-truth boxes',)
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.console import Bar, progress
from psis_bench.errors import UserError
from psis_bench.garbage_collection import without_garbage_collection
from psis_bench.scoring.annotation_process import Reading, reading_annotations
from psis_bench.scoring.detection.limits import limits_in_words
from psis_bench.scoring.detection.lvis import absence, groups_of
from psis_bench.scoring.engine import Engine
from psis_bench.scoring.evaluation import Asked, Evaluation, evaluate, quality_of, step
from psis_bench.scoring.inputs.annotations import Annotations
from psis_bench.scoring.inputs.arguments import annotations_of, check_choice, predictions_of, type_error
from psis_bench.scoring.inputs.ground_truth import GroundTruth
from psis_bench.scoring.inputs.predictions import NO_DETECTOR, Opened, Predictions, open_predictions
from psis_bench.scoring.masks.annotators import Source, read_agreement
from psis_bench.scoring.masks.coco_folders import trained_images
from psis_bench.scoring.results.marks import mark_notes
from psis_bench.scoring.results.scores import DatasetIdentity, Scores, SplitIdentity
from psis_bench.scoring.score_files import write_scores
from psis_bench.splits.protocol import ResolvedSplit, SplitProtocol
from psis_bench.splits.registry import get_split

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes

BOXES_GIVEN = "detection AP left out: under this split a run predicts masks on ground-truth boxes alone"


def score_predictions(
    predictions: str | Path | Sequence[Mapping[str, Any]],
    *,
    annotations: str | Path | Mapping[str, Any],
    split: str | SplitProtocol,
    out: str | Path | None = None,
    boundary: bool = False,
    class_agnostic: bool = False,
    details: bool = False,
    other: str | Path | Mapping[str, Any] | None = None,
    engine: Engine = "auto",
    on_bad_boxes: OnBadBoxes = "error",
) -> Scores:
    """Score predictions against annotations: every group of classes in one pass.

    Args:
        predictions: A COCO results file, its content (a list of detections), or a prediction folder with
            ``detections`` and/or ``gt_box_masks`` in it.
        annotations: The COCO-format annotation file that they were made for, or its content. The hash of the content in
            memory, by which results are known to be of the same annotations, is not that of the file.
        split: Which classes are seen and unseen: a name, a YAML file, or a `SplitProtocol`.
        out: Folder for ``per_class.csv``, ``per_instance.parquet`` and ``scores.json``; None writes nothing.
        boundary: Also take boundary AP, and boundary IoU of the masks on ground-truth boxes.
        class_agnostic: Also take class-agnostic recall of each group, the ground truth of other classes ignored.
        details: Also tell whether detection or masks limit mask AP, and GT-box mIoU by kind of object.
        other: Another annotation file of the same images, or its content, whose agreement with this one is to stand
            beside GT-box mIoU; images are matched by id or file name, classes by name or synset.
        engine: Evaluator for detection AP; the scores are the same.
        on_bad_boxes: ``drop`` leaves annotations out whose box has no area; ``error`` refuses them.

    Raises:
        UserError: Predictions or annotations are missing or malformed, or do not belong together.
    """
    return _score(
        predictions_of(predictions),
        annotations=annotations_of(annotations),
        split=_split_of(split),
        out=None if out is None else Path(out),
        other=Path(other) if isinstance(other, str) else other,
        asked=Asked(boundary=boundary, class_agnostic=class_agnostic, details=details, engine=engine),
        on_bad_boxes=on_bad_boxes,
    )


def _split_of(split: str | os.PathLike[str] | SplitProtocol) -> SplitProtocol:
    if isinstance(split, str | os.PathLike):
        return get_split(os.fspath(split))
    if not isinstance(split, SplitProtocol):
        raise type_error("split", split, "the name of a split, its YAML file, or a SplitProtocol")
    return split


def score_run(
    *,
    predictions: Path,
    annotations: Path,
    split: SplitProtocol,
    out: Path | None,
    boundary: bool = False,
    class_agnostic: bool = False,
    details: bool = False,
    other: Path | None = None,
    engine: Engine = "auto",
    on_bad_boxes: OnBadBoxes = "error",
) -> Scores:
    """Score predictions on disk as `score_predictions` does, with a progress bar.

    Args:
        predictions: The folder ``predictions`` of a run (``detections`` and/or ``gt_box_masks`` in it), or
            a COCO results file.
        annotations: The COCO-format file the predictions were made for.
        split: Which classes are seen and unseen.
        out: Folder for ``per_class.csv``, ``per_instance.parquet`` and, written last, ``scores.json``.
        boundary: Also take boundary AP, and boundary IoU of the masks on ground-truth boxes.
        class_agnostic: Also take class-agnostic recall of each group, the ground truth of other classes ignored.
        details: Also tell whether detection or masks limit mask AP, and GT-box mIoU by kind of object.
        other: Another annotation file of the same images, or its content, whose agreement with this one is to stand
            beside GT-box mIoU; images are matched by id or file name, classes by name or synset.
        engine: Evaluator for detection AP; the scores are the same.
        on_bad_boxes: As the data set's configuration says; it must be what the predictions were made with.

    Raises:
        UserError: Predictions or annotations are missing or malformed, or do not belong together.
    """
    with progress("score", total=4) as bar:
        return _score(
            predictions,
            annotations=annotations,
            split=split,
            out=out,
            other=other,
            asked=Asked(boundary=boundary, class_agnostic=class_agnostic, details=details, engine=engine),
            on_bad_boxes=on_bad_boxes,
            bar=bar,
        )


def _score(
    predictions: Predictions,
    *,
    annotations: Source,
    split: SplitProtocol,
    out: Path | None,
    other: Source | None,
    asked: Asked,
    on_bad_boxes: OnBadBoxes,
    bar: Bar | None = None,
) -> Scores:
    from psis_bench.data.dataset_config import OnBadBoxes

    check_choice("engine", asked.engine, Engine)
    check_choice("on_bad_boxes", on_bad_boxes, OnBadBoxes)
    # Few of the objects that a score makes are in circles, and looking for them takes a tenth of its time.
    with without_garbage_collection(), reading_annotations(annotations, on_bad_boxes=on_bad_boxes) as reading:
        step(bar, 0, "annotations and predictions")
        opened = _opened(predictions, reading)
        held = reading.boxes()
        split.check_scored(held.categories, where=str(held.truth.path))
        resolved = split.resolve(held.categories, where=str(held.truth.path))
        step(bar, 1, "detections")
        evaluation = evaluate(
            opened,
            held.truth,
            lambda: reading.annotations().truth,
            trivial_ious=reading.trivial_ious,
            asked=asked,
            max_detections=split.max_detections,
            federation=held.federation,
            bar=bar,
        )
        held = reading.annotations()
        if other is not None:
            agreement = read_agreement(held, annotations, other, on_bad_boxes=on_bad_boxes)
            evaluation = replace(evaluation, agreement=agreement)
        scores = _scores_of(evaluation, held, resolved, details=asked.details, marks=mark_notes(predictions))
        if out is not None:
            write_scores(out, scores, evaluation)
        return scores


def _opened(predictions: Predictions, reading: Reading) -> Opened:
    try:
        return open_predictions(predictions)
    except UserError:
        # A fault of the annotations is told first, and that predictions are of others before what else is wrong.
        open_predictions(predictions, reading.annotations().truth)
        raise


def _scores_of(
    evaluation: Evaluation, held: Annotations, resolved: ResolvedSplit, *, details: bool, marks: Sequence[str]
) -> Scores:
    """Average what was computed over every group of classes, and note what a reader has to know."""
    split, federation = resolved.protocol, held.federation
    groups = groups_of(resolved, federation)
    group_scores = {name: evaluation.group(ids) for name, ids in groups.items()}
    folders = federation.folders if federation and split.by_synset else {}
    shared = trained_images(held.truth, evaluation.ious, groups, folders)
    quality = quality_of(evaluation, groups, held.categories, folders if shared else {}) if details else ()
    notes = (BOXES_GIVEN if note == NO_DETECTOR and split.by_synset else note for note in evaluation.notes)
    agreed = [evaluation.agreement.note] if evaluation.agreement else []
    missing, limits = absence(resolved, federation), limits_in_words(group_scores)
    return Scores(
        split=SplitIdentity(name=split.name, version=split.version, hash=split.hash()),
        dataset=_identity(held.truth),
        groups=group_scores,
        notes=(*marks, *notes, *missing, *shared, *agreed, *limits),
        mask_quality=quality,
        per_class=evaluation.classes(resolved),
    )


def _identity(truth: GroundTruth) -> DatasetIdentity:
    return DatasetIdentity(annotations_sha256=truth.sha256, images=len(truth.image_ids), instances=len(truth.instances))
