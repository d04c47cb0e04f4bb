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

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.console import Bar, progress
from psis_bench.data.lvis import Federation, read_federation
from psis_bench.scoring.detection.detection_scores import DetectionScores, detection_scores
from psis_bench.scoring.detection.limits import LimitTables, evaluate_limits, limits_in_words
from psis_bench.scoring.detection.lvis import absence, groups_of
from psis_bench.scoring.engine import Engine
from psis_bench.scoring.evaluation import Evaluation, quality_of
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import Floats, GroundTruth, read_ground_truth
from psis_bench.scoring.inputs.predictions import NO_DETECTOR, Predictions, all_detections
from psis_bench.scoring.inputs.records import read_parts
from psis_bench.scoring.masks.gt_box_iou import gt_box_and_boundary_ious, gt_box_ious, masks_on_boxes
from psis_bench.scoring.masks.jittered_scores import jittered_ious
from psis_bench.scoring.masks.trivial import trivial_ious
from psis_bench.scoring.results.marks import mark_notes
from psis_bench.scoring.results.scores import DatasetIdentity, Scores, SplitIdentity
from psis_bench.scoring.score_files import write_scores
from psis_bench.splits.protocol import SplitProtocol
from psis_bench.splits.registry import get_split

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes

BOXES_GIVEN = "detection AP left out: under this split a run predicts masks on ground-truth boxes alone"
NO_LIMITS = "what limits mask AP left out: it is told by COCO's rules, not by LVIS's"
NO_GT_BOX_MASKS = "GT-box mIoU left out: there are no masks predicted on ground-truth boxes"


def score_predictions(
    predictions: str | Path | Sequence[Mapping[str, Any]],
    *,
    annotations: str | Path | Mapping[str, Any],
    split: str | SplitProtocol,
    out: str | Path | None = None,
    boundary: bool = False,
    class_agnostic: bool = False,
    details: bool = False,
    engine: Engine = "auto",
    on_bad_boxes: OnBadBoxes = "error",
) -> Scores:
    """Score predictions against annotations: every group of classes in one pass.

    Args:
        predictions: A COCO results file, its content (a list of detections), or a prediction folder with
            ``detections`` and/or ``gt_box_masks`` in it.
        annotations: The COCO-format annotation file that they were made for, or its content.
        split: Which classes are seen and unseen: a name, a YAML file, or a `SplitProtocol`.
        out: Folder for ``per_class.csv``, ``per_instance.parquet`` and ``scores.json``; None writes nothing.
        boundary: Also take boundary AP, and boundary IoU of the masks on ground-truth boxes.
        class_agnostic: Also take class-agnostic recall of each group, the ground truth of other classes ignored.
        details: Also tell whether detection or masks limit mask AP, and GT-box mIoU by kind of object.
        engine: Evaluator for detection AP; the scores are the same.
        on_bad_boxes: ``drop`` leaves annotations out whose box has no area; ``error`` refuses them.

    Raises:
        UserError: Predictions or annotations are missing or malformed, or do not belong together.
    """
    return _score(
        Path(predictions) if isinstance(predictions, str) else predictions,
        annotations=Path(annotations) if isinstance(annotations, str) else annotations,
        split=get_split(split) if isinstance(split, str) else split,
        out=None if out is None else Path(out),
        boundary=boundary,
        class_agnostic=class_agnostic,
        details=details,
        engine=engine,
        on_bad_boxes=on_bad_boxes,
    )


def score_run(
    *,
    predictions: Path,
    annotations: Path,
    split: SplitProtocol,
    out: Path | None,
    boundary: bool = False,
    class_agnostic: bool = False,
    details: bool = False,
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
            boundary=boundary,
            class_agnostic=class_agnostic,
            details=details,
            engine=engine,
            on_bad_boxes=on_bad_boxes,
            bar=bar,
        )


def _score(
    predictions: Predictions,
    *,
    annotations: Path | Mapping[str, Any],
    split: SplitProtocol,
    out: Path | None,
    boundary: bool,
    class_agnostic: bool,
    details: bool,
    engine: Engine,
    on_bad_boxes: OnBadBoxes,
    bar: Bar | None = None,
) -> Scores:
    from psis_bench.data.coco_format import check_coco, read_coco

    _step(bar, 0, "annotations")
    if isinstance(annotations, Path):
        coco = read_coco(annotations, on_bad_boxes=on_bad_boxes)
    else:
        coco = check_coco(annotations, on_bad_boxes=on_bad_boxes)
    resolved = split.resolve(coco.categories, where=str(coco.path))
    truth = read_ground_truth(coco)
    federation = read_federation(coco)
    categories = coco.categories
    del coco  # its polygons are run lengths by now; of LVIS they are a gigabyte
    _step(bar, 1, "predictions")
    evaluation = evaluate(
        predictions,
        truth,
        max_detections=split.max_detections,
        federation=federation,
        boundary=boundary,
        class_agnostic=class_agnostic,
        details=details,
        engine=engine,
        bar=bar,
    )
    groups = groups_of(resolved, federation)
    group_scores = {name: evaluation.group(ids) for name, ids in groups.items()}
    quality = quality_of(evaluation, groups, categories) if details else ()
    notes = (BOXES_GIVEN if note == NO_DETECTOR and split.by_synset else note for note in evaluation.notes)
    scores = Scores(
        split=SplitIdentity(name=split.name, version=split.version, hash=split.hash()),
        dataset=DatasetIdentity(
            annotations_sha256=truth.sha256, images=len(truth.image_ids), instances=len(truth.instances)
        ),
        groups=group_scores,
        notes=(*mark_notes(predictions), *notes, *absence(resolved, federation), *limits_in_words(group_scores)),
        mask_quality=quality,
    )
    if out is not None:
        write_scores(out, scores, evaluation, resolved)
    return scores


def evaluate(
    predictions: Predictions,
    truth: GroundTruth,
    *,
    max_detections: int = 100,
    federation: Federation | None = None,
    boundary: bool = False,
    class_agnostic: bool = False,
    details: bool = False,
    engine: Engine = "auto",
    bar: Bar | None = None,
) -> Evaluation:
    """Hold predictions against annotations, over all classes at once.

    Args:
        predictions: A results file, its content, or a prediction folder, as for `score_predictions`.
        truth: The annotations.
        max_detections: Detections per image that count, over all classes together.
        federation: What an LVIS file says beyond COCO format; None: the rules are COCO's.
        boundary: Also take boundary AP, and boundary IoU of the masks on ground-truth boxes.
        class_agnostic: Also take class-agnostic recall.
        details: Also take mask AP with the best masks and with ground-truth boxes.
        engine: Evaluator for detection AP.
        bar: To be advanced by three steps.

    Raises:
        UserError: Predictions are missing or malformed, or of other annotations.
    """
    detections, notes = all_detections(predictions, truth)
    detected = DetectionScores()
    with ThreadPoolExecutor(max_workers=1) as other:  # hotcoco lets other threads work beside it
        trivial = other.submit(trivial_ious, truth)
        if detections is not None:
            detected = detection_scores(
                truth,
                detections,
                max_detections=max_detections,
                federation=federation,
                boundary=boundary,
                class_agnostic=class_agnostic,
                engine=engine,
            )
            notes += detected.notes
    _step(bar, 1, "masks on boxes")
    ious, boundaries = _on_boxes(predictions, truth, boundary, engine)
    if ious is None:
        notes.append(NO_GT_BOX_MASKS)
    limits = None
    if details and detections is not None and detected.mask is not None:
        notes += [] if federation is None else [NO_LIMITS]
        limits = None if federation else _limits(predictions, truth, detections, max_detections, engine)
    _step(bar, 1, "trivial rows")
    full_box, ellipse = trivial.result()
    _step(bar, 1, "")
    return Evaluation(
        truth=truth,
        detected=detected,
        ious=ious,
        full_box=full_box,
        ellipse=ellipse,
        boundaries=boundaries,
        notes=tuple(notes),
        limits=limits,
        jittered=jittered_ious(predictions, truth) if isinstance(predictions, Path) and predictions.is_dir() else (),
    )


def _step(bar: Bar | None, steps: int, note: str) -> None:
    if bar is not None:
        bar.advance(steps, note=note)


def _limits(
    predictions: Predictions, truth: GroundTruth, detections: Detections, limit: int, engine: Engine
) -> LimitTables:
    on_boxes = None
    if isinstance(predictions, Path) and (predictions / "gt_box_masks").is_dir():
        on_boxes = masks_on_boxes(read_parts(predictions / "gt_box_masks", kind="gt_box_masks"), truth)
    return evaluate_limits(truth, detections.best_of_each_image(limit), on_boxes, max_detections=limit, engine=engine)


def _on_boxes(
    predictions: Predictions, truth: GroundTruth, boundary: bool, engine: Engine
) -> tuple[Floats | None, Floats | None]:
    """Return IoU and, if asked for, boundary IoU of the masks on boxes; None where there are none."""
    if not isinstance(predictions, Path) or not (predictions / "gt_box_masks").is_dir():
        return None, None
    batches = read_parts(predictions / "gt_box_masks", kind="gt_box_masks")
    return gt_box_and_boundary_ious(batches, truth) if boundary else (gt_box_ious(batches, truth, engine=engine), None)
