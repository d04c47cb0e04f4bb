"""Where predictions come from: a results file, its content, or a prediction folder; and whether all are there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.scoring.inputs.detections import Detections, read_detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth
from psis_bench.scoring.inputs.records import AGAIN, read_parts, read_results, records_of_results
from psis_bench.scoring.inputs.repeated import refuse_repeated

Predictions = Path | Sequence[Mapping[str, Any]]
"""A COCO results file or prediction folder, or the content of a results file."""

NO_DETECTOR = "detection AP left out: the model has no detector"


def all_detections(predictions: Predictions, truth: GroundTruth) -> tuple[Detections | None, list[str]]:
    """Read all detections, if there are any, and what is to be noted about them.

    Args:
        predictions: A results file, its content, or a prediction folder.
        truth: The annotations.

    Raises:
        UserError: Predictions are missing or malformed, or of other annotations.
    """
    if not isinstance(predictions, Path):
        batches = records_of_results(predictions, sizes=truth.sizes)
    elif predictions.is_file():
        batches = read_results(predictions, sizes=truth.sizes)
    else:
        folder = predictions / "detections"
        detection_free = _check_folder(predictions)
        if not folder.is_dir():
            if detection_free is False:
                raise UserError("no such folder", where=str(folder), cure=AGAIN)
            return None, [NO_DETECTOR]
        batches = read_parts(folder, kind="detections")
    detections = read_detections(batches, truth)
    refuse_repeated(detections)
    return detections, []


def counted_detections(predictions: Predictions, truth: GroundTruth, limit: int) -> tuple[Detections | None, list[str]]:
    """Read the detections that count, ``limit`` an image over all classes together, as `all_detections` does."""
    detections, notes = all_detections(predictions, truth)
    return (None if detections is None else detections.best_of_each_image(limit)), notes


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
        parts: int | None = manifest.get("parts")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError("not a manifest of predictions", where=str(path), cure=AGAIN) from error
    if not complete:
        raise UserError("the predictions are not complete", where=str(path), cure="run predict again: it goes on")
    for folder in sorted(child for child in predictions.iterdir() if child.is_dir()):
        found = len(list(folder.glob("part-*.parquet")))
        if parts is not None and found != parts:
            raise UserError(f"has {found} parts, of which manifest.json counts {parts}", where=str(folder), cure=AGAIN)
    return detection_free
