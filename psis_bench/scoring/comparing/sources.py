"""Where the detections and annotations of scores are, so that AP can be taken again under draws of images.

A run has its predictions beside its scores. A folder that ``psis-bench score ... out=`` wrote says in
``predictions.json`` what was scored, by path and hash; nothing else reads that file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psis_bench.data.coco_format import read_coco
from psis_bench.data.lvis import read_federation
from psis_bench.files import sha256_of_file, sha256_of_json, write_json
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth, read_ground_truth
from psis_bench.scoring.inputs.predictions import counted_detections
from psis_bench.splits.synsets import COCO_SYNSETS, categories_of

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes

RECORD = "predictions.json"
_GIVE_THEM = "give the predictions themselves, with split= and data="


@dataclass(frozen=True, kw_only=True)
class Source:
    """What scores were taken from.

    Args:
        predictions: A results file or a prediction folder; None where it is not known, or not what was scored.
        annotations: The annotation file; None where it is not known.
        on_bad_boxes: What was done about its boxes without an area.
        limit: Detections an image that count.
        missing: Why there are no predictions, and what to do.
    """

    predictions: Path | None = None
    annotations: Path | None = None
    on_bad_boxes: OnBadBoxes = "error"
    limit: int = 100
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Sought:
    """An annotation file that scores were taken on.

    Args:
        truth: The annotations.
        is_lvis: Whether AP follows LVIS's rules, under which it is not taken again.
        groups: Category ids of LVIS's groups by frequency and by COCO's classes; empty for another file.
    """

    truth: GroundTruth
    is_lvis: bool
    groups: Mapping[str, list[int]]


def write_source(out: Path, source: Source) -> None:
    """Note in a folder of scores what was scored.

    Raises:
        UserError: The folder cannot be written to.
    """
    if source.predictions is None or source.annotations is None:
        return
    record = {
        "predictions": str(source.predictions.resolve()),
        "sha256": hash_of(source.predictions),
        "annotations": str(source.annotations.resolve()),
        "on_bad_boxes": source.on_bad_boxes,
        "max_detections": source.limit,
    }
    write_json(out / RECORD, record)


def read_source(folder: Path) -> Source:
    """Return what the scores of a folder were taken from; the predictions only if they are what was scored."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        predictions, sha256 = Path(record["predictions"]), str(record["sha256"])
        annotations, limit = Path(record["annotations"]), int(record["max_detections"])
        rule: OnBadBoxes = "drop" if record["on_bad_boxes"] == "drop" else "error"
    except (OSError, ValueError, KeyError, TypeError):
        return Source(missing=f"its predictions are not on record; {_GIVE_THEM}")
    found = Source(predictions=predictions, annotations=annotations, on_bad_boxes=rule, limit=limit)
    if not predictions.exists():
        return Source(annotations=annotations, on_bad_boxes=rule, limit=limit, missing=f"{predictions} is gone")
    if hash_of(predictions) != sha256:
        missing = f"{predictions} is no longer what was scored; score it again"
        return Source(annotations=annotations, on_bad_boxes=rule, limit=limit, missing=missing)
    return found


def hash_of(predictions: Path) -> str:
    """Return the SHA-256 of a results file, or one of the names and hashes of a folder's detections."""
    if predictions.is_file():
        return sha256_of_file(predictions)
    parts = sorted((predictions / "detections").glob("part-*.parquet"))
    return sha256_of_json({part.name: sha256_of_file(part) for part in parts})


def read_sought(sources: Iterable[Source], *, sha256: str) -> Sought | None:
    """Return the first annotation file of the hash that scores have on record; None where it is not found."""
    for source in sources:
        path = source.annotations
        if path is None or not path.is_file():
            continue
        coco = read_coco(path, on_bad_boxes=source.on_bad_boxes)
        if coco.sha256 != sha256:
            continue
        truth, federation = read_ground_truth(coco), read_federation(coco)
        if federation is None:
            return Sought(truth=truth, is_lvis=False, groups={})
        coco_ids, _ = categories_of(COCO_SYNSETS, federation.synsets)
        others = sorted(set(truth.category_ids.tolist()) - coco_ids)
        groups = {**federation.groups(), "coco": sorted(coco_ids), "not_coco": others}
        return Sought(truth=truth, is_lvis=True, groups=groups)
    return None


def detections_of(source: Source, sought: Sought) -> tuple[Detections | None, str]:
    """Return the detections that count, or None and why there are none."""
    path = source.predictions
    if path is None:
        return None, source.missing
    if not path.is_file() and not (path / "detections").is_dir():
        return None, f"{path / 'detections'} is gone"
    detections, _ = counted_detections(path, sought.truth, source.limit)
    return detections, "" if detections is not None else f"no detections are in {path}"
