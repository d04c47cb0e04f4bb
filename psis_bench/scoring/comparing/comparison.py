"""Runs held against each other: numbers with intervals, the difference of two, which classes moved, and ranks.

An *entry* is a run, or several that differ in their seed alone. Intervals of a run are percentiles over draws of
images, and of its AP lie around the score (`class_mean_interval` of `psis_bench.scoring.comparing.intervals`); those of
several seeds add the spread of the seeds (`seeds_and_images_interval`). Because all entries are scored on the same
images under the same draws, differences are paired, image by image and seed by seed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from psis_bench.errors import UserError
from psis_bench.scoring.comparing.bootstrap import CONFIDENCE, percentile_interval
from psis_bench.scoring.comparing.intervals import class_mean_interval, seeds_and_images_interval
from psis_bench.scoring.comparing.ranks import RankInterval, rank_intervals
from psis_bench.scoring.comparing.sampled_scores import METRICS, Metric, SampledScores, mean_over_runs
from psis_bench.scoring.comparing.scored_folder import ScoredFolder
from psis_bench.scoring.inputs.ground_truth import Floats
from psis_bench.scoring.results.extra_masks import is_marked
from psis_bench.scoring.results.probe_mark import is_probe

GROUPS = ("seen", "unseen", "all", "frequent", "common", "rare", "coco", "not_coco")
"""Of classes, in the order in which they are shown; the last five are LVIS's."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """A score or a difference of scores, in [-1, 1], with the ends of its interval; None where it is not known."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval of a difference says that there is one."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One or more runs of the same model, and their scores under draws of images.

    Args:
        label: A letter.
        runs: Runs that differ in their seed alone, by ascending seed.
        samples: Of each run.
        name: What tells it from the other entries, as `names_of_entries` has it.
        groups: Category ids of the groups beyond ``seen``, ``unseen`` and ``all``, where they are known.
    """

    label: str
    runs: tuple[ScoredFolder, ...]
    samples: tuple[SampledScores, ...]
    name: str = ""
    groups: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def is_marked(self) -> bool:
        """Whether masks were learned from that the split does not allow (protocol 2.5)."""
        return any(is_marked(run.scores.notes) for run in self.runs)

    def members(self, group: str) -> list[int] | None:
        """Return the category ids of a group of classes; None where they are not known."""
        if group in GROUPS[:3]:
            return [row.category_id for row in self.runs[0].classes if group in ("all", row.group)]
        members = list(self.groups.get(group, ()))
        return members if len(members) == self.runs[0].scores.groups[group].classes else None

    def values(self, metric: Metric, group: str) -> list[float] | None:
        """Return the number of each run; None where one has none."""
        values = [metric.of(run.scores.groups[group]) for run in self.runs]
        return None if any(value is None for value in values) else [float(value or 0.0) for value in values]

    def drawn(self, metric: Metric, group: str) -> Floats | None:
        """Return the mean of the runs under each draw, float64 (B,); None where that is not known."""
        members = self.members(group)
        if members is None:
            return None
        parts = [sample.group(metric.key, members) for sample in self.samples]
        known = [part for part in parts if part is not None]
        return mean_over_runs(known) if len(known) == len(parts) else None

    def number(self, metric: Metric, group: str) -> Number:
        """Return the mean of the runs with its interval."""
        values, drawn = self.values(metric, group), self.drawn(metric, group)
        if values is None:
            return Number(value=None)
        if metric.instance is None and len(values) == 1 and drawn is not None:
            return self._number_around_score(values[0], drawn, metric, group)
        return with_interval(values, drawn)

    def _number_around_score(self, value: float, drawn: Floats, metric: Metric, group: str) -> Number:
        """Return an AP of a single run with its interval, whose middle the draws cannot tell."""
        variances, freedoms = self.samples[0].variances(metric.key, self.members(group) or ())
        interval = class_mean_interval(
            value,
            deviation=float(np.nanstd(drawn, ddof=1)),
            variances=variances,
            freedoms=freedoms,
            confidence=CONFIDENCE,
        )
        return Number(value=value, low=interval.low, high=interval.high)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What `compare` found.

    Args:
        entries: In the order in which they were given.
        numbers: (metric key, group) -> the number of each entry. Metrics that no entry has are not there.
        differences: (metric key, group) -> the second less the first, when there are two entries.
        ranks: (metric key, group) -> the ranks of the entries, when there are more than two; None for one with extra
            mask data, which is not ranked.
        notes: What a reader has to know, one sentence each.
    """

    entries: tuple[Entry, ...]
    numbers: dict[tuple[str, str], tuple[Number, ...]]
    differences: dict[tuple[str, str], Number]
    ranks: dict[tuple[str, str], tuple[RankInterval | None, ...]]
    notes: tuple[str, ...]

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that any entry has, in their order."""
        return [metric for metric in METRICS if (metric.key, "all") in self.numbers]

    @property
    def groups(self) -> list[str]:
        """The groups of classes that all entries have."""
        return groups_of(self.entries)


def check_comparable(folders: Sequence[ScoredFolder]) -> None:
    """Refuse runs whose numbers do not mean the same.

    Raises:
        UserError: They were scored under another split, on other annotations, or one in probe mode; names both.
    """
    first = folders[0]
    for other in folders[1:]:
        ours, theirs = first.scores.split, other.scores.split
        if ours.hash != theirs.hash:
            raise UserError(
                f"is scored under split {theirs.name} version {theirs.version} ({theirs.hash[:8]}), "
                f"{first.path} under {ours.name} version {ours.version} ({ours.hash[:8]})",
                where=str(other.path),
                cure="compare runs of one split",
            )
        data, others = first.scores.dataset, other.scores.dataset
        same = data.annotations_sha256 == others.annotations_sha256 and data.instances == others.instances
        if not same or not np.array_equal(first.instances.annotations, other.instances.annotations):
            raise UserError(
                f"is scored on other annotations ({others.images} images, {others.instances} instances, "
                f"{others.annotations_sha256[:8]}) than {first.path} ({data.images} images, {data.instances} "
                f"instances, {data.annotations_sha256[:8]})",
                where=str(other.path),
                cure="score both on the same annotation file",
            )
        if is_probe(first.scores.notes) != is_probe(other.scores.notes):
            probe, full = (first, other) if is_probe(first.scores.notes) else (other, first)
            raise UserError(
                f"is of probe mode, another protocol, and {full.path} is not",
                where=str(probe.path),
                cure="compare runs of one protocol",
            )


def runs_of_entries(folders: Sequence[ScoredFolder]) -> list[tuple[ScoredFolder, ...]]:
    """Put runs together that differ in their seed alone, in the order of their first; each by ascending seed."""
    found: dict[str | Path, list[ScoredFolder]] = {}
    for folder in folders:
        key: str | Path = folder.path if folder.config is None or folder.seed is None else folder.config
        twice = any(other.seed == folder.seed for other in found.get(key, []))
        found.setdefault(folder.path if twice else key, []).append(folder)
    return [tuple(sorted(runs, key=lambda run: run.seed or 0)) for runs in found.values()]


def names_of_entries(groups: Sequence[tuple[ScoredFolder, ...]]) -> list[str]:
    """Return what tells entries apart: the model where there are several, the mask head where a model has several.

    Args:
        groups: The runs of each entry.

    Returns:
        A name an entry; empty for what is no run, and where neither tells it from another.
    """
    configs = [json.loads(runs[0].config or "{}") for runs in groups]
    models = [str(config.get("model") or "") for config in configs]
    heads = [str(config.get("mask_head") or "") for config in configs]
    names = []
    for model, head in zip(models, heads, strict=True):
        several = {other for name, other in zip(models, heads, strict=True) if name == model}
        parts = [model] * (len(set(models)) > 1) + [head] * (len(several) > 1)
        names.append(" ".join(part for part in parts if part))
    return names


def groups_of(entries: Sequence[Entry]) -> list[str]:
    """Return the groups of classes that all entries have, in their order."""
    scores = [run.scores.groups for entry in entries for run in entry.runs]
    return [group for group in GROUPS if all(group in found for found in scores)]


def compare(entries: Sequence[Entry], *, notes: Sequence[str] = ()) -> Comparison:
    """Hold entries against each other.

    Args:
        entries: Two or more, of comparable runs.
        notes: To be shown with the result.
    """
    groups = groups_of(entries)
    keys = [
        (metric, group)
        for metric in METRICS
        for group in groups
        if any(entry.values(metric, "all") is not None for entry in entries)
    ]
    numbers = {(metric.key, group): tuple(entry.number(metric, group) for entry in entries) for metric, group in keys}
    differences = {}
    ranks: dict[tuple[str, str], tuple[RankInterval | None, ...]] = {}
    for metric, group in keys:
        if len(entries) == 2:
            differences[metric.key, group] = difference(entries[0], entries[1], metric, group)
            continue
        found = _ranks(entries, [number.value for number in numbers[metric.key, group]], metric, group)
        if found is not None:
            ranks[metric.key, group] = found
    return Comparison(entries=tuple(entries), numbers=numbers, differences=differences, ranks=ranks, notes=tuple(notes))


def _ranks(
    entries: Sequence[Entry], values: Sequence[float | None], metric: Metric, group: str
) -> tuple[RankInterval | None, ...] | None:
    """Return the rank of each entry, None for one with extra mask data; None when any other has no number."""
    ranked = [place for place, entry in enumerate(entries) if not entry.is_marked]
    drawn = [part for place in ranked if (part := entries[place].drawn(metric, group)) is not None]
    scores = [value for place in ranked if (value := values[place]) is not None]
    if not ranked or not len(drawn) == len(scores) == len(ranked):
        return None
    found = dict(zip(ranked, rank_intervals(np.array(scores, np.float64), np.stack(drawn, axis=1)), strict=True))
    return tuple(found.get(place) for place in range(len(entries)))


def difference(first: Entry, second: Entry, metric: Metric, group: str) -> Number:
    """Return the number of the second entry less that of the first, with its paired interval."""
    ours, theirs = first.values(metric, group), second.values(metric, group)
    if ours is None or theirs is None:
        return Number(value=None)
    drawn, others = first.drawn(metric, group), second.drawn(metric, group)
    moved = None if drawn is None or others is None else others - drawn
    if paired_by_seed(first, second):
        return with_interval([b - a for a, b in zip(ours, theirs, strict=True)], moved)
    return Number(value=float(np.mean(theirs) - np.mean(ours)))


def paired_by_seed(first: Entry, second: Entry) -> bool:
    """Whether every run of one entry has its counterpart in the other: two single runs, or the same seeds."""
    seeds = [[run.seed for run in entry.runs] for entry in (first, second)]
    return len(seeds[0]) == len(seeds[1]) == 1 or seeds[0] == seeds[1]


def with_interval(values: Sequence[float], drawn: Floats | None) -> Number:
    """Return the mean of one value a seed with its interval.

    Args:
        values: One a run.
        drawn: float64 (B,): the mean of the runs under each draw of images; None where it is not known. Of a single
            run there is no interval without.
    """
    mean = float(np.mean(values))
    if len(values) == 1:
        if drawn is None:
            return Number(value=mean)
        low, high = (float(end) for end in percentile_interval(drawn, confidence=CONFIDENCE))
    else:
        deviation = 0.0 if drawn is None else float(np.nanstd(drawn, ddof=1))
        _, low, high = seeds_and_images_interval(values, image_deviation=deviation, confidence=CONFIDENCE)
    return Number(value=mean) if math.isnan(low) or math.isnan(high) else Number(value=mean, low=low, high=high)


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain values for JSON; numbers in [-1, 1], not rounded."""
    first = comparison.entries[0].runs[0].scores

    def named(values: dict[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for (key, group), value in values.items():
            found.setdefault(key, {})[group] = value
        return found

    return {
        "split": vars(first.split),
        "dataset": vars(first.dataset),
        "entries": [
            {
                "label": entry.label,
                "name": entry.name,
                "runs": [
                    {"path": str(run.path), "seed": run.seed, "seconds": run.seconds, "peak_memory": run.memory}
                    for run in entry.runs
                ],
                "scores": named({key: vars(numbers[place]) for key, numbers in comparison.numbers.items()}),
            }
            for place, entry in enumerate(comparison.entries)
        ],
        "trivial": {
            name: {group: getattr(scores, name).class_mean for group, scores in first.groups.items()}
            for name in ("full_box", "ellipse")
        },
        "differences": named({key: vars(number) for key, number in comparison.differences.items()}),
        "ranks": named({key: [rank and rank._asdict() for rank in ranks] for key, ranks in comparison.ranks.items()}),
        "notes": list(comparison.notes),
    }
