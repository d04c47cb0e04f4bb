"""The files of a score: ``per_class.csv``, ``per_instance.parquet`` and ``scores.json``.

A value that was asked for only at times (boundary IoU) has a column only when it is there.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from psis_bench.files import atomic_path, write_json, write_text
from psis_bench.scoring.inputs.arrow_columns import to_arrow

_AP_OF_CLASS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")

if TYPE_CHECKING:
    from psis_bench.scoring.evaluation import Evaluation
    from psis_bench.scoring.results.scores import GroupScores, Scores
    from psis_bench.splits.protocol import ResolvedSplit


def write_scores(out: Path, scores: Scores, evaluation: Evaluation, resolved: ResolvedSplit) -> None:
    """Write the three files into a folder, ``scores.json`` last.

    Args:
        out: The folder; it is made when missing.
        scores: The scores of the groups.
        evaluation: What they were averaged from.
        resolved: The split with the category ids of the annotation file.

    Raises:
        UserError: The folder cannot be written to.
    """
    write_text(out / "per_class.csv", _per_class_csv(evaluation, resolved))
    _write_per_instance(out / "per_instance.parquet", evaluation)
    write_json(out / "scores.json", scores.to_dict())


def _per_class_csv(evaluation: Evaluation, resolved: ResolvedSplit) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    evaluation = evaluation.by_class()
    columns = list(_values_of_class(evaluation.group([])))
    writer.writerow(["category_id", "name", "group", "instances", *columns])
    for category, name in sorted(resolved.names.items()):
        scores = evaluation.group([category])
        values = _values_of_class(scores).values()
        writer.writerow(
            [category, name, resolved.group_of(category), scores.instances]
            + ["" if value is None else repr(value) for value in values]
        )
    return text.getvalue()


def _values_of_class(scores: GroupScores) -> dict[str, float | None]:
    box, mask = (average.to_dict() if average else {} for average in (scores.box, scores.mask))
    values = {
        **{f"box_{key}": box.get(key) for key in _AP_OF_CLASS},
        **{f"mask_{key}": mask.get(key) for key in _AP_OF_CLASS},
        "gt_box_miou": scores.gt_box_miou.class_mean if scores.gt_box_miou else None,
        "full_box_miou": scores.full_box.class_mean,
        "ellipse_miou": scores.ellipse.class_mean,
    }
    if scores.boundary is not None:
        values["boundary_AP"] = scores.boundary.ap
    if scores.boundary_miou is not None:
        values["boundary_miou"] = scores.boundary_miou.class_mean
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
    for jittered in evaluation.jittered:
        columns[f"iou_jittered_{jittered.strength!r}"] = jittered.ious
    with atomic_path(path) as temporary:
        arrays = {name: to_arrow(values) for name, values in columns.items()}
        pq.write_table(pa.table(arrays), temporary, compression="zstd")
