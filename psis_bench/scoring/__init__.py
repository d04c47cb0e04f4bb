"""From predictions and annotations to scores: no torch, no GPU, one pass for all groups of classes.

Three lines to a score::

    from psis_bench.scoring import score_predictions

    scores = score_predictions("results.json", annotations="instances_val2017.json", split="voc2nonvoc")
    scores.groups["unseen"].mask.ap

Names are imported when they are first used. What each number means: docs/scoring.md and docs/protocol.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psis_bench.scoring.comparing.intervals import mean_interval
    from psis_bench.scoring.masks.boundary import boundary_iou
    from psis_bench.scoring.results.mean_iou import Annotators, MeanIou
    from psis_bench.scoring.results.scores import AgnosticRecall, AveragePrecision, ClassScores, GroupScores, Scores
    from psis_bench.scoring.results.table import as_csv, as_markdown
    from psis_bench.scoring.score import score_predictions

__all__ = [
    "AgnosticRecall",
    "Annotators",
    "AveragePrecision",
    "ClassScores",
    "GroupScores",
    "MeanIou",
    "Scores",
    "as_csv",
    "as_markdown",
    "boundary_iou",
    "mean_interval",
    "score_predictions",
]

_MODULES = {
    "AgnosticRecall": "results.scores",
    "Annotators": "results.mean_iou",
    "AveragePrecision": "results.scores",
    "ClassScores": "results.scores",
    "GroupScores": "results.scores",
    "MeanIou": "results.mean_iou",
    "Scores": "results.scores",
    "as_csv": "results.table",
    "as_markdown": "results.table",
    "boundary_iou": "masks.boundary",
    "mean_interval": "comparing.intervals",
    "score_predictions": "score",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
