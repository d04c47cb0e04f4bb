"""The files of a score: ``per_class.csv``, ``per_instance.parquet`` and ``scores.json``.

A value that was asked for only at times (boundary IoU) has a column only when it is there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from psis_bench.files import atomic_path, write_json, write_text
from psis_bench.scoring.inputs.arrow_columns import to_arrow

if TYPE_CHECKING:
    from psis_bench.scoring.evaluation import Evaluation
    from psis_bench.scoring.results.scores import ClassScores, GroupScores, Scores

_AP_OF_CLASS = ("AP", "AP50", "AP75", "APs", "APm", "APl")
_AR_OF_CLASS = ("AR1", "AR10", "AR100")
_AR_OF_LVIS = ("AR300",)
_AR_BY_SIZE = ("ARs", "ARm", "ARl")


def write_scores(out: Path, scores: Scores, evaluation: Evaluation) -> None:
    """Write the three files into a folder, ``scores.json`` last.

    Args:
        out: The folder; it is made when missing.
        scores: The scores of the groups and classes.
        evaluation: What they were averaged from.

    Raises:
        UserError: The folder cannot be written to.
    """
    write_text(out / "per_class.csv", per_class_csv(scores.per_class))
    _write_per_instance(out / "per_instance.parquet", evaluation)
    write_json(out / "scores.json", scores.to_dict())


def per_class_csv(classes: Sequence[ClassScores]) -> str:
    """Return the scores of classes in [0, 1], one line each, not rounded; empty where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    averages = [average for item in classes for average in (item.scores.box, item.scores.mask) if average]
    recalls = _AR_OF_LVIS if any(average.ar300 is not None for average in averages) else _AR_OF_CLASS
    rows = [_values_of_class(item.scores, (*_AP_OF_CLASS, *recalls, *_AR_BY_SIZE)) for item in classes]
    writer.writerow(["category_id", "name", "group", "instances", *(rows[0] if rows else ())])
    for item, values in zip(classes, rows, strict=True):
        writer.writerow(
            [item.category_id, item.name, item.group, item.scores.instances]
            + ["" if value is None else repr(value) for value in values.values()]
        )
    return text.getvalue()


def _values_of_class(scores: GroupScores, keys: Sequence[str]) -> dict[str, float | None]:
    box, mask = (average.to_dict() if average else {} for average in (scores.box, scores.mask))
    values = {
        **{f"box_{key}": box.get(key) for key in keys},
        **{f"mask_{key}": mask.get(key) for key in keys},
        "gt_box_miou": scores.gt_box_miou.class_mean if scores.gt_box_miou else None,
        "full_box_miou": scores.full_box.class_mean,
        "ellipse_miou": scores.ellipse.class_mean,
    }
    if scores.boundary is not None:
        values["boundary_AP"] = scores.boundary.ap
    if scores.boundary_miou is not None:
        values["boundary_miou"] = scores.boundary_miou.class_mean
    if scores.annotators is not None:
        values["annotators_miou"] = scores.annotators.agreement.class_mean
    return values


def _write_per_instance(path: Path, evaluation: Evaluation) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    truth, places = evaluation.truth, evaluation.truth.instances
    ious = evaluation.ious if evaluation.ious is not None else pa.nulls(len(places), pa.float64())
    columns = {
        "image_id": truth.images[places],
        "annotation_id": truth.annotation_ids[places],
        "category_id": truth.categories[places],
        "area": truth.mask_pixels[places].astype(np.float64),
        "box_width": truth.boxes[places, 2],
        "box_height": truth.boxes[places, 3],
        "iou": ious,
        "full_box_iou": evaluation.full_box,
        "ellipse_iou": evaluation.ellipse,
    }
    if evaluation.boundaries is not None:
        columns["boundary_iou"] = evaluation.boundaries
    if evaluation.agreement is not None:
        columns["annotators_iou"] = np.full(len(places), np.nan)
        columns["annotators_iou"][evaluation.agreement.places] = evaluation.agreement.ious
    for jittered in evaluation.jittered:
        columns[f"iou_jittered_{jittered.strength!r}"] = jittered.ious
    with atomic_path(path) as temporary:
        arrays = {name: to_arrow(values) for name, values in columns.items()}
        pq.write_table(pa.table(arrays), temporary, compression="zstd")
