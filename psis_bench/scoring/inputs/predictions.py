"""Where predictions come from: a results file, its content, or a prediction folder; and whether all are there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psis_bench.errors import UserError
from psis_bench.scoring.inputs.detections import Detections, Gathered, gather
from psis_bench.scoring.inputs.ground_truth import GroundTruth
from psis_bench.scoring.inputs.json_results import load_results
from psis_bench.scoring.inputs.plausibility import notes_on
from psis_bench.scoring.inputs.records import again, read_parts, records_of_results
from psis_bench.scoring.inputs.repeated import refuse_repeated, repeated

Predictions = Path | Sequence[Mapping[str, Any]]
"""A COCO results file or prediction folder, or the content of a results file."""

NO_DETECTOR = "detection AP left out: the model has no detector"
NO_DETECTIONS = "detection AP left out: there are no detections"


class Opened(NamedTuple):
    """Predictions that are read as far as they can be without the annotations.

    Args:
        gathered: The detections of a folder; None where it has none.
        rows: The rows of a results file; None for a folder.
        path: What errors call that file.
        folder: The folder; None for results.
        in_memory: The rows come from no file.
        no_detector: The folder's manifest says that its model has no detector.
    """

    gathered: Gathered | None = None
    rows: Sequence[Any] | None = None
    path: Path = Path("results")
    folder: Path | None = None
    in_memory: bool = False
    no_detector: bool = False

    def detections(self, truth: GroundTruth) -> tuple[Detections | None, list[str]]:
        """Return all detections, if there are any, and what is to be noted about them.

        Raises:
            UserError: Results are malformed, or predictions are of other annotations, or there twice.
        """
        if self.rows is not None:
            rows = records_of_results(self.rows, sizes=truth.sizes, path=self.path, annotations=truth.path.name)
            gathered = gather(rows, truth)
            if not self.in_memory:
                refuse_repeated(gathered.detections)
        elif self.gathered is None:
            return None, [NO_DETECTOR if self.no_detector else NO_DETECTIONS]
        else:
            gathered = self.gathered
        found = gathered.of(truth)
        notes = notes_on(found, truth)
        if self.in_memory and (again_there := repeated(found)):
            count = len(again_there)
            notes.append(f"{count} detections repeat others in image, class, score, box and mask; each of them counts")
        return found, notes


def open_predictions(predictions: Predictions, truth: GroundTruth | None = None) -> Opened:
    """Read predictions, and check what can be checked without the annotations.

    Args:
        predictions: A results file, its content, or a prediction folder.
        truth: The annotations, if they are known: as for `gather`.

    Raises:
        UserError: Predictions are missing or malformed.
    """
    if not isinstance(predictions, Path):
        return Opened(rows=predictions, in_memory=True)
    if predictions.is_file():
        return Opened(rows=load_results(predictions), path=predictions)
    if not predictions.exists():
        what = f"no such {'file' if predictions.suffix else 'folder'}"
        raise UserError(what, where=str(predictions), cure="give a COCO results file, or a prediction folder")
    folder = predictions / "detections"
    detection_free = _check_folder(predictions)
    if folder.is_dir():
        gathered = gather(read_parts(folder, kind="detections"), truth)
        refuse_repeated(gathered.detections)
        return Opened(gathered=gathered, folder=predictions)
    if detection_free is False:
        raise UserError("no such folder", where=str(folder), cure=again(predictions))
    return Opened(folder=predictions, no_detector=detection_free is True)


def counted_detections(predictions: Predictions, truth: GroundTruth, limit: int) -> tuple[Detections | None, list[str]]:
    """Read the detections that count, ``limit`` an image over all classes together, and notes about all.

    Raises:
        UserError: As `open_predictions` and `Opened.detections`.
    """
    detections, notes = open_predictions(predictions, truth).detections(truth)
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
        raise UserError("not a manifest of predictions", where=str(path), cure=again(predictions)) from error
    if not complete:
        raise UserError("the predictions are not complete", where=str(path), cure="run predict again: it goes on")
    for folder in sorted(child for child in predictions.iterdir() if child.is_dir()):
        found = len(list(folder.glob("part-*.parquet")))
        if parts is not None and found != parts:
            what = f"has {found} parts, of which manifest.json counts {parts}"
            raise UserError(what, where=str(folder), cure=again(predictions))
    return detection_free
