"""What stands in a cell of the matrix on the page, and behind it: plain numbers from arrays."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from psis_bench.sweep.matrix import METRICS, TransferMatrix, nan_mean

Floats = npt.NDArray[np.float64]

LEVELS: Final = 32
"""Steps of the scale of colours."""
_STEP = 20  # ends of a scale are multiples of 1 / 20


class Seeds(NamedTuple):
    """Mean over seeds, the ends of its interval, and how many seeds there are: each (S, T)."""

    mean: Floats
    low: Floats
    high: Floats
    known: npt.NDArray[np.int64]


def over_seeds(scores: Floats, *, confidence: float = 0.95) -> Seeds:
    """Return the mean over seeds with Student's interval, cell by cell, from the seeds that there are.

    Args:
        scores: (S, T, K) in [0, 1]; NaN where there is none.
        confidence: Probability that an interval covers, if scores are normal.

    Returns:
        ``low`` and ``high`` are NaN where there are fewer than two seeds, ``mean`` where there is none. As
        `psis_bench.scoring.comparing.intervals.mean_interval`, for all cells at once.
    """
    from scipy import stats

    count = (~np.isnan(scores)).sum(axis=2)
    mean = nan_mean(scores, axis=2)
    several = np.where(count > 1, count, 2)
    squares = np.nansum((scores - mean[:, :, None]) ** 2, axis=2)
    half = stats.t.ppf((1 + confidence) / 2, several - 1) * np.sqrt(squares / (several - 1) / several)
    half = np.where(count > 1, half, np.nan)
    return Seeds(mean, mean - half, mean + half, count)


def scale_of(values: Floats) -> tuple[float, float]:
    """Return the round ends of the scale of colours for values in [0, 1]."""
    if np.isnan(values).all():
        return 0.0, 1.0
    low, high = np.floor(np.nanmin(values) * _STEP) / _STEP, np.ceil(np.nanmax(values) * _STEP) / _STEP
    return float(low), float(high if high > low else low + 1 / _STEP)


def level(value: float, scale: tuple[float, float]) -> int | None:
    """Return the step of the scale, from 0 to ``LEVELS - 1``; None for a hole. The page's script does the same."""
    if np.isnan(value):
        return None
    share = (value - scale[0]) / (scale[1] - scale[0])
    return int(min(max(np.floor(share * (LEVELS - 1) + 0.5), 0), LEVELS - 1))


def numbers(matrix: TransferMatrix) -> dict[str, Any]:
    """Return what the page's script knows of one metric: lists of rows, None for a hole, rounded for printing."""
    found = over_seeds(matrix.scores)
    return {
        "name": METRICS[matrix.metric],
        "mean": _plain(found.mean),
        "low": _plain(found.low),
        "high": _plain(found.high),
        "count": found.known.tolist(),
        "reference": _plain(nan_mean(matrix.reference, axis=1)),
        "runs": matrix.reference.shape[1],
        "scale": scale_of(found.mean),
    }


def colours() -> list[tuple[str, str]]:
    """Return the colour of each level, and black or white, whichever is read more easily on it."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    from psis_bench.figures.transfer_heat_map import COLOURS

    found = [colormaps[COLOURS](place / (LEVELS - 1))[:3] for place in range(LEVELS)]
    return [(to_hex(colour), "#000" if _luminance(colour) > 0.179 else "#fff") for colour in found]


def _luminance(colour: tuple[float, float, float]) -> float:
    """Return the relative luminance of WCAG 2; above 0.179 black has the higher contrast."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def _plain(values: Floats) -> Any:
    rounded = np.round(values, 5).astype(object)
    rounded[np.isnan(values)] = None
    return rounded.tolist()
