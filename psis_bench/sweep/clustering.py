"""An order in which similar rows of a matrix stand together."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

METHOD: Final = (
    "average-linkage hierarchical clustering of the root-mean-square differences over the cells that both rows have"
)
"""What `similar_first` does, for the text below a picture. The paper does not name its method."""
_MOST_FOR_LEAF_ORDER = 400

Floats = npt.NDArray[np.float64]


def similar_first(values: Floats) -> list[int]:
    """Return the order of the rows in which neighbours are alike.

    Rows are joined by average linkage; of the orders that keep joined rows together, the one with the least sum of
    differences between neighbours is taken (up to 400 rows, which takes seconds), and of that and its reverse the one
    whose first half has the higher mean.

    Args:
        values: (N, M); NaN where there is no value. Rows that share no cell count as far apart as any two rows.
    """
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    if len(values) < 3:
        return [int(row) for row in np.argsort(-_row_means(values), kind="stable")]
    apart = differences(values)
    condensed = squareform(apart, checks=False)
    joined = hierarchy.linkage(condensed, method="average")
    if len(values) <= _MOST_FOR_LEAF_ORDER:
        joined = hierarchy.optimal_leaf_ordering(joined, condensed)
    order = [int(row) for row in hierarchy.leaves_list(joined)]
    means = _row_means(values)
    half = len(order) // 2
    return order if means[order[:half]].mean() >= means[order[-half:]].mean() else order[::-1]


def differences(values: Floats) -> Floats:
    """Return the root-mean-square differences (N, N) of rows (N, M), over the columns that both have."""
    there = ~np.isnan(values)
    filled, weight = np.where(there, values, 0.0), there.astype(float)
    shared = weight @ weight.T
    squares = filled**2 @ weight.T
    total = np.maximum(squares + squares.T - 2 * filled @ filled.T, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart: Floats = np.sqrt(total / shared)
    furthest = np.nanmax(apart) if np.isfinite(apart).any() else 0.0
    apart = np.where(np.isfinite(apart), apart, furthest)
    np.fill_diagonal(apart, 0.0)
    return apart


def _row_means(values: Floats) -> Floats:
    from psis_bench.sweep.matrix import nan_mean

    return np.nan_to_num(nan_mean(values, axis=1), nan=-np.inf)
