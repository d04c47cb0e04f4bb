"""What runs have scored, one entry for runs that differ in their seed alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psis_bench.config_listing import own_choice
from psis_bench.errors import UserError
from psis_bench.scoring.comparing.intervals import MeanInterval, mean_interval
from psis_bench.scoring.results.probe_mark import MARK
from psis_bench.sweep.assemble import Entry, find_entries

METRICS: Mapping[str, tuple[str, str]] = {
    "box_ap": ("box", "AP"),
    "mask_ap": ("mask", "AP"),
    "mask_ap50": ("mask", "AP50"),
    "mask_ap75": ("mask", "AP75"),
    "mask_ap_small": ("mask", "APs"),
    "mask_ap_medium": ("mask", "APm"),
    "mask_ap_large": ("mask", "APl"),
    "gt_box_miou": ("gt_box_miou", "class_mean"),
}
"""Places in ``scores.json`` of what the recipes call the paper's numbers."""
NAMES: Mapping[str, str] = {
    "box_ap": "box AP",
    "mask_ap": "mask AP",
    "mask_ap50": "mask AP50",
    "mask_ap75": "mask AP75",
    "mask_ap_small": "mask AP small",
    "mask_ap_medium": "mask AP medium",
    "mask_ap_large": "mask AP large",
    "gt_box_miou": "GT-box mIoU",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Runs that differ in their seed alone.

    Attributes:
        split: Their split.
        model: Their model.
        mask_head: Their mask head, also where it is the model's own.
        crop_source: Their crop source; None: the model's own.
        data: Name of their data set.
        iterations: Length of their training; None: their schedule's.
        teacher: Folder of the run whose masks they have learned from, if there is one.
        overrides: Their changes of the model's own configuration (``mm.`` keys).
        is_probe: They are of probe mode, another protocol.
        folders: One a seed.
        groups: The ``groups`` of their score files, one a seed.
    """

    split: str
    model: str
    mask_head: str | None
    crop_source: str | None
    data: str
    iterations: int | None
    teacher: str | None
    overrides: Mapping[str, Any]
    is_probe: bool
    folders: tuple[Path, ...]
    groups: tuple[Mapping[str, Any], ...]

    @property
    def label(self) -> str:
        """What they are, as in ``deep_marc/small hourglass20 on synthetic, 300 iterations``."""
        name = " ".join(filter(None, (self.model, self.mask_head, self.crop_source, "on", self.data)))
        parts = [name, *(f"{key}={value}" for key, value in self.overrides.items())]
        parts += [f"{self.iterations} iterations"] * (self.iterations is not None)
        parts += ["taught"] * (self.teacher is not None)
        parts += [MARK] * self.is_probe
        return ", ".join(parts)

    def values(self, metric: str, group: str) -> list[float]:
        """Return a score of each seed that has it, in [0, 1]."""
        kind, name = METRICS[metric]
        found = [((scores.get(group) or {}).get(kind) or {}).get(name) for scores in self.groups]
        return [float(value) for value in found if value is not None]

    def interval(self, metric: str, group: str) -> MeanInterval | None:
        """Return the mean over seeds with Student's interval; None where no seed has the score."""
        values = self.values(metric, group)
        return mean_interval(values) if values else None


def read_measured(paths: Sequence[Path]) -> list[Measured]:
    """Return what the scored runs below folders have measured.

    Raises:
        UserError: None of them is scored.
    """
    grouped: dict[str, list[tuple[Entry, Mapping[str, Any]]]] = {}
    for entry in find_entries(paths):
        groups = _groups(entry.folder / "scores.json")
        if groups is not None:
            grouped.setdefault(repr((entry.split, sorted(entry.settings.items()))), []).append((entry, groups))
    if not grouped:
        raise UserError("no run is scored yet", where=str(paths[0]), cure="run psis-bench run or sweep first")
    return [_measured(sorted(runs, key=lambda run: run[0].seed)) for runs in grouped.values()]


def _groups(path: Path) -> Mapping[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["groups"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError("damaged", where=str(path), cure="score the run again: psis-bench score") from None
    return content if isinstance(content, dict) else None


def _measured(runs: Sequence[tuple[Entry, Mapping[str, Any]]]) -> Measured:
    entry = runs[0][0]
    settings = entry.settings
    model, mask_head = str(settings.get("model")), settings.get("mask_head")
    data = Path(str(settings.get("data.name", "synthetic")))
    return Measured(
        split=entry.split,
        model=model,
        mask_head=str(mask_head) if mask_head else _own_head(model),
        crop_source=settings.get("crop_source"),
        data=data.parent.name if data.name == "dataset.yaml" else data.stem,
        iterations=settings.get("iterations"),
        teacher=settings.get("teacher"),
        overrides={key: value for key, value in settings.items() if key.startswith("mm.")},
        is_probe=bool(settings["probe"]),
        folders=tuple(run.folder for run, _ in runs),
        groups=tuple(groups for _, groups in runs),
    )


def _own_head(model: str) -> str | None:
    try:
        return own_choice(model, "mask_heads")
    except UserError:  # a model of somebody else's
        return None
