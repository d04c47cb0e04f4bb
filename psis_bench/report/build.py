"""Builds ``report.html`` of a run: reads its files, draws its figures and pictures, fills the template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.errors import UserError
from psis_bench.report.run_files import RunFiles, read_run

if TYPE_CHECKING:
    from psis_bench.data.coco_format import CocoFile
    from psis_bench.data.dataset_config import OnBadBoxes
    from psis_bench.splits.protocol import SplitProtocol


def build_report(
    run_directory: Path,
    *,
    annotations: Path,
    images: Path,
    split: SplitProtocol,
    on_bad_boxes: OnBadBoxes = "error",
) -> Path:
    """Write the page of a scored run.

    Args:
        run_directory: A run with ``config.yaml``, ``scores.json``, ``per_class.csv`` and ``per_instance.parquet``.
            The training log, the predictions and the times of the stages are shown where they are there.
        annotations: The COCO-format annotation file that was scored.
        images: Folder of its pictures; missing ones become placeholders.
        split: The split that was scored.
        on_bad_boxes: As the data set's configuration says; it must be what was scored with.

    Returns:
        Path of ``report.html``: one file that needs no other and opens no connection.

    Raises:
        UserError: There are no scores, a file is damaged, or the scores are of another split.
    """
    from psis_bench.data.coco_format import read_coco
    from psis_bench.files import write_text
    from psis_bench.report.detected import build_detected
    from psis_bench.report.page import render
    from psis_bench.report.pictures import build_galleries
    from psis_bench.scoring.results.marks import mark_notes

    run = read_run(run_directory)
    _check_split(run, split)
    coco = read_coco(annotations, on_bad_boxes=on_bad_boxes)
    galleries, notes = build_galleries(
        run.per_instance, coco=coco, images=images, predictions=run_directory / "predictions" / "gt_box_masks"
    )
    classes = {row.category_id: (row.name, row.group) for row in run.per_class.itertuples(index=False)}
    detected = build_detected(
        coco, classes=classes, images=images, detections=run_directory / "predictions" / "detections"
    )
    marks = mark_notes(run_directory / "predictions")
    notes = [*marks, *_annotation_notes(run, coco), *notes, *run.notes]
    page = render(run, split=split, galleries=galleries, detected=detected, notes=notes)
    target = run_directory / "report.html"
    write_text(target, page)
    return target


def _check_split(run: RunFiles, split: SplitProtocol) -> None:
    scored: dict[str, Any] = run.scores.get("split") or {}
    if scored.get("hash") != split.hash():
        name = f"{scored.get('name')}@{scored.get('version')}"
        raise UserError(
            f"the scores are of split {name}, not of {split.name}@{split.version} as it is now",
            where=str(run.directory / "scores.json"),
            cure="score the run again with overwrite=score",
        )


def _annotation_notes(run: RunFiles, coco: CocoFile) -> list[str]:
    scored = (run.scores.get("dataset") or {}).get("annotations_sha256")
    if scored in (None, coco.sha256):
        return []
    return [f"{coco.path.name} has changed since the run was scored; the pictures show the file as it is now"]
