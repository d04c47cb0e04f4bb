"""Which classes moved between two entries of a comparison.

A class has few images, so that percentiles of draws are too narrow for it: its interval is Student's, with the
deviation of the paired difference over draws of images and as many degrees of freedom as it has images, less one; with
several seeds the deviation over seeds is added (Satterthwaite's degrees of freedom). Where all draws have the same
difference there is no deviation, and the sign test tells how likely that is by chance. Of 80 classes some four would
leave a 95 % interval by chance. *Moved* are those that remain when at most 5 % of what is named may be chance
(Y. Benjamini and Y. Hochberg, *Controlling the false discovery rate*, J. R. Statist. Soc. B 57, 1995).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from psis_bench.run_lengths import Ints
from psis_bench.scoring.comparing.bootstrap import CONFIDENCE
from psis_bench.scoring.comparing.comparison import Entry, Number, paired_by_seed
from psis_bench.scoring.comparing.sampled_scores import Metric, images_of_classes
from psis_bench.scoring.inputs.ground_truth import Flags, Floats

_NONE = 1e-12  # what rounding leaves of a deviation of 0


@dataclass(frozen=True, kw_only=True)
class ClassDifference:
    """One class under two entries.

    Args:
        category_id: Of the class.
        name: Its name.
        group: ``seen``, ``unseen`` or ``other``.
        images: Images with instances of it.
        first: The number of the first entry.
        second: The number of the second.
        difference: Second less first, with its interval.
        p_value: Of no difference; None where that cannot be told.
        moved: Whether it is among the classes that moved.
    """

    category_id: int
    name: str
    group: str
    images: int
    first: float
    second: float
    difference: Number
    p_value: float | None
    moved: bool


def class_differences(first: Entry, second: Entry, metric: Metric) -> list[ClassDifference]:
    """Compare two entries class by class.

    Args:
        first: An entry.
        second: Another of the same data.
        metric: What is compared.

    Returns:
        The classes that both have a number of, by descending difference.
    """
    columns = []
    for entry in (first, second):
        values = [[row.values.get(metric.column) for row in run.classes] for run in entry.runs]
        columns.append(np.array([[np.nan if value is None else value for value in row] for row in values]))
    images = images_of_classes(first.runs[0])
    means = [column.mean(axis=0) for column in columns]
    moved = means[1] - means[0]
    deviation, freedom = _deviation(first, second, metric, columns, images)
    p_values = _p_values(moved, deviation, freedom, images)
    half = _half_widths(deviation, freedom)
    discovered = _discovered(p_values)
    rows = []
    for place, row in enumerate(first.runs[0].classes):
        if np.isnan(moved[place]):
            continue
        value, known = float(moved[place]), not np.isnan(p_values[place])
        ends = {"low": value - float(half[place]), "high": value + float(half[place])} if known else {}
        rows.append(
            ClassDifference(
                category_id=row.category_id,
                name=row.name,
                group=row.group,
                images=int(images[place]),
                first=float(means[0][place]),
                second=float(means[1][place]),
                difference=Number(value=value, **ends),
                p_value=float(p_values[place]) if known else None,
                moved=bool(discovered[place]),
            )
        )
    return sorted(rows, key=lambda row: -(row.difference.value or 0.0))


def _deviation(
    first: Entry, second: Entry, metric: Metric, columns: list[Floats], images: Ints
) -> tuple[Floats, Floats]:
    """Return the standard deviation of each class's difference, and its degrees of freedom; NaN where unknown."""
    nothing = np.full(len(images), np.nan)
    samples = [[sample.classes.get(metric.key) for sample in entry.samples] for entry in (first, second)]
    if not paired_by_seed(first, second) or any(part is None for parts in samples for part in parts):
        return nothing, nothing
    drawn = [np.mean(np.stack([part for part in parts if part is not None]), axis=0) for parts in samples]
    there = images > 1
    of_images = nothing.copy()
    of_images[there] = np.nanvar((drawn[1] - drawn[0])[:, there], axis=0, ddof=1)
    if len(first.runs) == 1:
        return np.sqrt(of_images), np.where(there, images - 1.0, np.nan)
    seeds = len(first.runs)
    of_seeds = (columns[1] - columns[0]).var(axis=0, ddof=1) / seeds
    total = of_images + of_seeds
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = total**2 / (of_images**2 / (images - 1) + of_seeds**2 / (seeds - 1))
    return np.sqrt(total), np.where(there, freedom, np.nan)


def _p_values(moved: Floats, deviation: Floats, freedom: Floats, images: Ints) -> Floats:
    from scipy import stats

    p_values = np.full(len(moved), np.nan)
    there = (deviation > _NONE) & ~np.isnan(moved)
    p_values[there] = 2 * stats.t.sf(np.abs(moved[there]) / deviation[there], freedom[there])
    # The same difference under every draw: each of n images moved alike, as by chance once in 2^(n - 1) (sign test).
    same = (deviation <= _NONE) & ~np.isnan(moved)
    p_values[same] = np.where(np.abs(moved[same]) <= _NONE, 1.0, 2.0 ** (1.0 - images[same]))
    return p_values


def _half_widths(deviation: Floats, freedom: Floats) -> Floats:
    from scipy import stats

    safe = np.where(np.isnan(freedom), 1.0, freedom)
    return np.asarray(stats.t.ppf((1 + CONFIDENCE) / 2, safe) * deviation, np.float64)


def _discovered(p_values: Floats) -> Flags:
    from scipy import stats

    found = np.zeros(len(p_values), bool)
    known = ~np.isnan(p_values)
    if known.any():
        found[known] = stats.false_discovery_control(p_values[known]) <= 1 - CONFIDENCE
    return found
