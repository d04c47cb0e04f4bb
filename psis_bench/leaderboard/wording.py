"""How numbers are written on pages and in Markdown: scores times 100, counts in thousands and millions."""

from __future__ import annotations

from psis_bench.leaderboard.rows import Estimate

NONE = "\u2013"
"""Stands where there is no number."""


def percent(value: float | None) -> str:
    """Return a score in [0, 1] times 100 with one decimal."""
    return NONE if value is None else f"{100 * value:.1f}"


def interval(estimate: Estimate | None) -> str:
    """Return the interval of a score, ``[low, high]`` times 100, or nothing."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"[{percent(estimate.low)}, {percent(estimate.high)}]"


def quantity(count: int | None) -> str:
    """Return a number of parameters, e.g. ``1.6 M``."""
    if count is None:
        return NONE
    if count < 1000:
        return str(count)
    return f"{count / 1e3:.0f} k" if count < 1e6 else f"{count / 1e6:.1f} M" if count < 1e8 else f"{count / 1e6:.0f} M"


def milliseconds(value: float | None) -> str:
    """Return a time of one image in milliseconds with two or three digits."""
    return NONE if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


_NAMES = {
    "gt_box_miou": "GT-box mIoU",
    "boundary_miou": "boundary IoU",
    "full_box": "full box (trivial)",
    "ellipse": "inscribed ellipse (trivial)",
    "ms_per_image": "ms per image",
}


def named(key: str) -> str:
    """Return the key of a number or field in words, e.g. ``mask AP unseen`` for ``mask_AP.unseen``."""
    metric, _, group = key.partition(".")
    return " ".join(part for part in (_NAMES.get(metric, metric.replace("_", " ")), group) if part)
