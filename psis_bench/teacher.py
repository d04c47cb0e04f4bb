"""A teacher: a trained run whose masks of the withheld classes a student learns from (paper, appendix B.2).

The teacher segments the ground-truth boxes of the classes that the split gives no masks of, on the training images. Its
masks are written, with the masks of the seen classes, to one COCO file, from which the student is trained as if fully
supervised. Only `psis_bench.engine.pseudo_label` makes that file; what it is and who may teach is told here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.run import PSEUDO_LABELS, RunDirectory, Stage
from psis_bench.scoring.results.extra_masks import EXTRA_MASKS

LABELS = "train.json"
PROVENANCE = "provenance.json"


def labels_file(run: Path) -> Path:
    """Return the COCO file that a student is trained from."""
    return run / PSEUDO_LABELS / LABELS


def provenance_of(run: Path) -> dict[str, Any]:
    """Return where a run's pseudo labels are from, what ``info`` of their file says; empty for a run without."""
    try:
        content = json.loads((run / PSEUDO_LABELS / PROVENANCE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def labels_extra_masks(run: Path) -> str | None:
    """Return which masks a run's teacher had learned from beyond those of the split; None for none, or no teacher."""
    words = provenance_of(run).get(EXTRA_MASKS)
    return f"of its teacher: {words}" if words else None


def teacher_of(run: RunDirectory) -> RunDirectory | None:
    """Return the teacher that a run's configuration names, or None when it names none.

    Raises:
        UserError: There is no such run, it is not trained, or may not teach this student.
    """
    if run.config.teacher is None:
        return None
    where = run.config.teacher
    if Path(where).resolve() == run.path.resolve():
        raise UserError("a run cannot be its own teacher", where=where, cure="choose another out= or teacher=")
    if not Path(where).is_dir():
        raise UserError("no such run to be the teacher", where=where, cure="give the folder of a run as teacher=")
    teacher = RunDirectory.load(Path(where))
    if not run.split.unseen and not run.split.unseen_is_rest:
        raise UserError(
            f"split {run.split.name} has masks of all classes, which leaves nothing to a teacher",
            cure="leave teacher= out, or choose another split=",
        )
    if set(teacher.split.seen) != set(run.split.seen):
        raise UserError(
            f"the teacher has learned under split {teacher.split.name}, the student's split is {run.split.name}",
            where=where,
            cure="give a teacher that has learned from masks of the same classes",
        )
    if not teacher.marker(Stage.TRAIN).is_file() or not teacher.final_weights.is_file():
        raise UserError("the teacher is not trained", where=where, cure=f"train it first: psis-bench train {where}")
    return teacher
