"""Turns the records of a run into the small tables that its figures draw."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

GROUP_ORDER = ("seen", "unseen", "other")
LONGEST_NAME = 24


def thin_log(log: list[dict[str, float]], *, points: int = 200) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the loss terms and the learning rate of a training log, averaged over neighbouring records.

    Args:
        log: Records with ``iteration``, ``lr`` and one key a loss term (every key that contains ``loss``).
        points: The most points a curve may have.

    Returns:
        Tables ``iteration, term, value`` and ``iteration, lr``. A single loss term that is also the sum is
        given once, as ``loss``.
    """
    import pandas as pd

    table = pd.DataFrame(log)
    if table.empty:
        return pd.DataFrame(columns=["iteration", "term", "value"]), pd.DataFrame(columns=["iteration", "lr"])
    bins = np.arange(len(table)) // math.ceil(len(table) / points)
    thinned = table.groupby(bins).mean()
    terms = [column for column in table.columns if "loss" in column and thinned[column].notna().any()]
    if len(terms) == 2 and "loss" in terms:
        terms = ["loss"]
    losses = thinned.melt(id_vars="iteration", value_vars=terms, var_name="term", value_name="value")
    rates = thinned[["iteration", "lr"]].dropna() if "lr" in thinned else pd.DataFrame(columns=["iteration", "lr"])
    return losses, rates


def iou_distribution(per_instance: pd.DataFrame, *, steps: int = 100) -> pd.DataFrame:
    """Return for each group, and for the ellipse on the unseen group, the share of instances with IoU >= t.

    Args:
        per_instance: Columns ``group``, ``iou`` and ``ellipse_iou`` (in [0, 1]).
        steps: Thresholds t are 0, 1/steps, ..., 1.

    Returns:
        Columns ``group``, ``iou``, ``share``.
    """
    import pandas as pd

    thresholds = np.linspace(0, 1, steps + 1)
    parts = []
    for group, values in _samples(per_instance):
        ordered = np.sort(values["iou"].to_numpy(dtype=float))
        share = 1 - np.searchsorted(ordered, thresholds, side="left") / len(ordered)
        parts.append(pd.DataFrame({"group": group, "iou": thresholds, "share": share}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["group", "iou", "share"])


def iou_by_size(per_instance: pd.DataFrame, *, least: int = 5) -> pd.DataFrame:
    """Return mean and quartiles of the IoU in half-octave bins of object size.

    Args:
        per_instance: Columns ``group``, ``area`` (of the ground-truth mask, pixels), ``iou``, ``ellipse_iou``.
        least: Bins with fewer instances are left out.

    Returns:
        Columns ``group``, ``size`` (bin centre, square root of the area in pixels), ``mean``, ``low``, ``high``,
        ``instances``; sizes ascending within a group.
    """
    import pandas as pd

    rows = []
    for group, values in _samples(per_instance):
        size = np.sqrt(values["area"].to_numpy(dtype=float).clip(min=1))
        bins = np.floor(2 * np.log2(size)).astype(int)
        for index in np.unique(bins):
            inside = values["iou"].to_numpy(dtype=float)[bins == index]
            if len(inside) < least:
                continue
            low, high = np.quantile(inside, [0.25, 0.75])
            rows.append((group, 2 ** ((index + 0.5) / 2), inside.mean(), low, high, len(inside)))
    return pd.DataFrame(rows, columns=["group", "size", "mean", "low", "high", "instances"])


def _samples(per_instance: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the instances of each group that has any, then those of the unseen group with the IoU of the ellipse."""
    per_instance = per_instance[per_instance["iou"].notna()]
    groups = [group for group in GROUP_ORDER if (per_instance["group"] == group).any()]
    samples = [(group, per_instance[per_instance["group"] == group]) for group in groups]
    if groups:
        trivial = per_instance[per_instance["group"] == ("unseen" if "unseen" in groups else groups[0])]
        samples.append(("ellipse", trivial.assign(iou=trivial["ellipse_iou"])))
    return samples


def class_columns(per_class: pd.DataFrame, *, most: int = 120) -> tuple[list[pd.DataFrame], int]:
    """Return the classes with instances, best first, cut into columns to be drawn beside each other.

    Args:
        per_class: Columns ``name``, ``group``, ``gt_box_miou``, ``ellipse_miou``.
        most: With more classes than this, only the best and the worst halves of this number are kept.

    Returns:
        One or two tables ``name, group, miou, ellipse_miou`` (long names cut), and how many classes were left out.
    """
    table = per_class.rename(columns={"gt_box_miou": "miou"})[["name", "group", "miou", "ellipse_miou"]]
    table["name"] = [
        name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}\u2026" for name in table["name"]
    ]
    table = table.dropna(subset=["miou"]).sort_values(["miou", "name"], ascending=[False, True], ignore_index=True)
    left_out = max(len(table) - most, 0)
    if left_out:
        return [table.head(most // 2), table.tail(most // 2)], left_out
    if len(table) <= 24:
        return ([table] if len(table) else []), 0
    half = math.ceil(len(table) / 2)
    return [table.head(half), table.iloc[half:]], 0
