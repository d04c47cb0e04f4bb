"""One call from predictions to ``scores.json``, ``per_class.csv`` and ``per_instance.parquet``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from psis_bench.console import progress
from psis_bench.errors import UserError
from psis_bench.files import atomic_path, write_json, write_text
from psis_bench.run_lengths import Ints
from psis_bench.scoring.checked_detections import Detections, read_detections
from psis_bench.scoring.detection import DetectionTables, Engine, evaluate_detections
from psis_bench.scoring.ground_truth import Floats, GroundTruth, read_ground_truth
from psis_bench.scoring.gt_box_iou import gt_box_ious, mean_iou
from psis_bench.scoring.records import AGAIN, read_parts, read_results
from psis_bench.scoring.results import DatasetIdentity, GroupScores, Scores, SplitIdentity
from psis_bench.scoring.trivial import trivial_ious

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes
    from psis_bench.splits.protocol import ResolvedSplit, SplitProtocol

NO_DETECTOR = "detection AP left out: the model has no detector"
NO_MASKS = "mask AP left out: the detections have no masks"
NO_GT_BOX_MASKS = "GT-box mIoU left out: there are no masks predicted on ground-truth boxes"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was computed, before it is averaged over groups; None for what the predictions do not have.

    Args:
        truth: The annotations.
        box: COCO's arrays by box IoU.
        mask: COCO's arrays by mask IoU.
        ious: float64 (n,): IoU of the masks on ground-truth boxes, in the order of ``truth.instances``.
        full_box: float64 (n,): the same of the trivial row that fills the box.
        ellipse: float64 (n,): the same of the trivial row that fills the inscribed ellipse.
        notes: What a reader has to know, one sentence each.
    """

    truth: GroundTruth
    box: DetectionTables | None
    mask: DetectionTables | None
    ious: Floats | None
    full_box: Floats
    ellipse: Floats
    notes: tuple[str, ...]

    @property
    def categories(self) -> Ints:
        """Category ids of the scored instances, int64 (n,)."""
        return self.truth.categories[self.truth.instances]

    def group(self, category_ids: Collection[int]) -> GroupScores:
        """Return all scores of a group of classes."""
        return GroupScores(
            classes=len(category_ids),
            instances=int(np.isin(self.categories, list(category_ids)).sum()),
            box=self.box.summary(category_ids) if self.box else None,
            mask=self.mask.summary(category_ids) if self.mask else None,
            gt_box_miou=mean_iou(self.ious, self.categories, category_ids) if self.ious is not None else None,
            full_box=mean_iou(self.full_box, self.categories, category_ids),
            ellipse=mean_iou(self.ellipse, self.categories, category_ids),
        )


def score_run(
    *,
    predictions: Path,
    annotations: Path,
    split: SplitProtocol,
    out: Path,
    engine: Engine = "auto",
    on_bad_boxes: OnBadBoxes = "error",
) -> Scores:
    """Score predictions and write the scores.

    Args:
        predictions: The folder ``predictions`` of a run (``detections`` and/or ``gt_box_masks`` in it), or
            a COCO results file.
        annotations: The COCO-format file the predictions were made for.
        split: Which classes are seen and unseen.
        out: Folder for ``per_class.csv``, ``per_instance.parquet`` and, written last, ``scores.json``.
        engine: Evaluator for detection AP; the scores are the same.
        on_bad_boxes: As the data set's configuration says; it must be what the predictions were made with.

    Raises:
        UserError: Predictions or annotations are missing or malformed, or do not belong together.
    """
    from psis_bench.data.coco_format import read_coco

    with progress("score", total=4) as bar:
        bar.advance(0, note="annotations")
        coco = read_coco(annotations, on_bad_boxes=on_bad_boxes)
        resolved = split.resolve(coco.categories, where=str(annotations))
        truth = read_ground_truth(coco)
        bar.advance(note="predictions")
        evaluation = evaluate(predictions, truth, max_detections=split.max_detections, engine=engine, bar=bar)
    scores = Scores(
        split=SplitIdentity(name=split.name, version=split.version, hash=split.hash()),
        dataset=DatasetIdentity(
            annotations_sha256=truth.sha256, images=len(truth.image_ids), instances=len(truth.instances)
        ),
        groups={name: evaluation.group(ids) for name, ids in resolved.groups().items()},
        notes=evaluation.notes,
    )
    write_text(out / "per_class.csv", _per_class_csv(evaluation, resolved))
    _write_per_instance(out / "per_instance.parquet", evaluation)
    write_json(out / "scores.json", scores.to_dict())
    return scores


def evaluate(
    predictions: Path, truth: GroundTruth, *, max_detections: int = 100, engine: Engine = "auto", bar: Any = None
) -> Evaluation:
    """Hold predictions against annotations, over all classes at once.

    Args:
        predictions: As for `score_run`.
        truth: The annotations.
        max_detections: Detections per image that count, over all classes together.
        engine: Evaluator for detection AP.
        bar: A `psis_bench.console.Bar` to be advanced by three steps.

    Raises:
        UserError: Predictions are missing or malformed, or of other annotations.
    """
    detections, notes = _detections(predictions, truth, max_detections)
    box = mask = None
    if detections is not None:
        options: dict[str, Any] = {"max_detections": max_detections, "engine": engine}
        box = evaluate_detections(truth, detections, iou_type="bbox", **options)
        if bool(detections.has_mask.any()) or not len(detections):
            mask = evaluate_detections(truth, detections, iou_type="segm", **options)
        else:
            notes.append(NO_MASKS)
    if bar:
        bar.advance(note="masks on boxes")
    ious = None
    if (predictions / "gt_box_masks").is_dir():
        ious = gt_box_ious(read_parts(predictions / "gt_box_masks", kind="gt_box_masks"), truth)
    else:
        notes.append(NO_GT_BOX_MASKS)
    if bar:
        bar.advance(note="trivial rows")
    full_box, ellipse = trivial_ious(truth)
    if bar:
        bar.advance()
    return Evaluation(
        truth=truth, box=box, mask=mask, ious=ious, full_box=full_box, ellipse=ellipse, notes=tuple(notes)
    )


def _detections(predictions: Path, truth: GroundTruth, limit: int) -> tuple[Detections | None, list[str]]:
    """Read the detections, if there are any, and what is to be noted about them."""
    folder = predictions / "detections"
    if predictions.is_file():
        detections = read_detections(read_results(predictions, sizes=truth.sizes), truth)
    else:
        detection_free = _check_folder(predictions)
        if not folder.is_dir():
            if detection_free is False:
                raise UserError("no such folder", where=str(folder), cure=AGAIN)
            return None, [NO_DETECTOR]
        detections = read_detections(read_parts(folder, kind="detections"), truth)
    best = detections.best_of_each_image(limit)
    dropped = len(detections) - len(best)
    note = f"{dropped} detections left out: only the {limit} highest scored of an image count"
    return best, [note] if dropped else []


def _check_folder(predictions: Path) -> bool | None:
    """Check that a prediction folder is complete; tell whether its model has no detector, if that is known."""
    if not any((predictions / kind).is_dir() for kind in ("detections", "gt_box_masks")):
        raise UserError(
            "no predictions here",
            where=str(predictions),
            cure="give a folder with detections/ or gt_box_masks/ in it, or a COCO results file",
        )
    path = predictions / "manifest.json"
    if not path.exists():
        return None
    try:
        manifest = json.loads(path.read_bytes())
        complete: bool = manifest["complete"] is True
        detection_free: bool | None = manifest.get("detection_free")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError("not a manifest of predictions", where=str(path), cure=AGAIN) from error
    if not complete:
        raise UserError("the predictions are not complete", where=str(path), cure="run predict again: it goes on")
    return detection_free


def _per_class_csv(evaluation: Evaluation, resolved: ResolvedSplit) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "category_id",
            "name",
            "group",
            "instances",
            "box_AP",
            "mask_AP",
            "gt_box_miou",
            "full_box_miou",
            "ellipse_miou",
        ]
    )
    for category, name in sorted(resolved.names.items()):
        scores = evaluation.group([category])
        values = (
            scores.box.ap if scores.box else None,
            scores.mask.ap if scores.mask else None,
            scores.gt_box_miou.class_mean if scores.gt_box_miou else None,
            scores.full_box.class_mean,
            scores.ellipse.class_mean,
        )
        writer.writerow(
            [category, name, resolved.group_of(category), scores.instances]
            + ["" if value is None else repr(value) for value in values]
        )
    return text.getvalue()


def _write_per_instance(path: Path, evaluation: Evaluation) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    truth, places = evaluation.truth, evaluation.truth.instances
    ious = evaluation.ious if evaluation.ious is not None else pa.nulls(len(places), pa.float64())
    columns = {
        "image_id": truth.images[places],
        "annotation_id": truth.annotation_ids[places],
        "category_id": truth.categories[places],
        "area": truth.instance_masks.areas().astype(np.float64),
        "iou": ious,
        "full_box_iou": evaluation.full_box,
        "ellipse_iou": evaluation.ellipse,
    }
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")
