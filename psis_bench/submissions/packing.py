"""The predictions of a submission: a run's own files as they are, anybody else's written in the same form."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from psis_bench.data.coco_format import read_coco
from psis_bench.data.dataset_config import OnBadBoxes
from psis_bench.errors import UserError
from psis_bench.files import sha256_of_file, write_error
from psis_bench.scoring.inputs.detections import Detections, read_detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth, read_ground_truth
from psis_bench.scoring.inputs.records import Kind, read_parts, read_results, write_part
from psis_bench.splits.protocol import SplitProtocol

KINDS: tuple[Kind, ...] = ("detections", "gt_box_masks")
_ROWS_A_PART = 50_000


def write_predictions(
    predictions: Path, folder: Path, *, annotations: Path, split: SplitProtocol, on_bad_boxes: OnBadBoxes
) -> list[dict[str, Any]]:
    """Write the predictions of a submission.

    Args:
        predictions: A prediction folder, or a COCO results file. Of more detections in an image than the split
            scores, only those are taken that are scored.
        folder: Where to write ``detections/`` and ``gt_box_masks/``.
        annotations: The annotation file they were made for.
        split: Says how many detections of an image are scored.
        on_bad_boxes: As the data set says.

    Returns:
        ``path``, ``bytes`` and ``sha256`` of each file.

    Raises:
        UserError: They are malformed, or of other annotations.
    """
    if predictions.is_dir() and (predictions / "manifest.json").is_file():
        _copy(predictions, folder)
    else:
        truth = read_ground_truth(read_coco(annotations, on_bad_boxes=on_bad_boxes))
        _rewrite(predictions, folder, truth, split.max_detections)
    paths = sorted(folder.glob("*/*.parquet"))
    if not paths:
        raise UserError(
            "there are no predictions", where=str(predictions), cure="give a results file or a prediction folder"
        )
    return [
        {
            "path": path.relative_to(folder).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": sha256_of_file(path),
        }
        for path in paths
    ]


def _copy(predictions: Path, folder: Path) -> None:
    for kind in KINDS:
        for path in sorted((predictions / kind).glob("part-*.parquet")):
            target = folder / kind / path.name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            except OSError as error:
                raise write_error(target, error) from error


def _rewrite(predictions: Path, folder: Path, truth: GroundTruth, limit: int) -> None:
    batches = None
    if predictions.is_file():
        batches = read_results(predictions, sizes=truth.sizes)
    elif (predictions / "detections").is_dir():
        batches = read_parts(predictions / "detections", kind="detections")
    if batches is not None:
        detections = read_detections(batches, truth).best_of_each_image(limit)
        for index, columns in enumerate(_columns(detections)):
            write_part(folder / "detections", index, columns, kind="detections")
    if (predictions / "gt_box_masks").is_dir():
        for index, records in enumerate(read_parts(predictions / "gt_box_masks", kind="gt_box_masks")):
            rows = records.table.to_pydict()
            write_part(folder / "gt_box_masks", index, rows, kind="gt_box_masks")


def _columns(found: Detections) -> Iterator[dict[str, Any]]:
    """Yield the columns of one part after the other; at least one part, which may be empty."""
    masks: list[str | None] = [None] * len(found)
    for place, string in zip(np.flatnonzero(found.has_mask).tolist(), found.strings, strict=True):
        masks[place] = string
    for first in range(0, max(1, len(found)), _ROWS_A_PART):
        part = slice(first, first + _ROWS_A_PART)
        yield {
            "image_id": found.images[part],
            "category_id": found.categories[part],
            "score": found.scores[part],
            "bbox": found.boxes[part],
            "height": found.sizes[part, 0],
            "width": found.sizes[part, 1],
            "mask": masks[part],
        }
