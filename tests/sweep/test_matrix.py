"""The transfer matrix: cells, means, ratios, holes, groups, order and files, held against plain loops."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import netcdf_file

from psis_bench.errors import UserError
from psis_bench.sweep.clustering import differences, similar_first
from psis_bench.sweep.matrix import TransferMatrix, read_matrix, write_matrix

NAN = math.nan


def small(**changes: object) -> TransferMatrix:
    """Two sources, three targets, two seeds; one run is missing, one target has no ground truth."""
    scores = np.array(
        [
            [[0.2, 0.4], [0.5, 0.7], [NAN, NAN]],
            [[0.8, NAN], [0.1, NAN], [NAN, NAN]],
        ]
    )
    values: dict[str, object] = {
        "metric": "mask_AP",
        "protocol": "full",
        "sources": ("cat", "dog"),
        "targets": ("kite", "zebra", "toaster"),
        "seeds": (3, 5),
        "scores": scores,
        "seen": np.zeros((2, 3), dtype=bool),
        "reference": np.array([[0.4, 0.6], [0.4, 0.4], [NAN, NAN]]),
    }
    return TransferMatrix(**{**values, **changes})  # type: ignore[arg-type]


def test_ratios_are_of_means_and_holes_stay() -> None:
    expected = [[0.3 / 0.5, 0.6 / 0.4, NAN], [0.8 / 0.5, 0.1 / 0.4, NAN]]
    np.testing.assert_allclose(small().ratios(), expected)
    assert small().holes() == 6


def test_a_reference_of_zero_is_a_hole_not_infinity() -> None:
    ratios = small(reference=np.array([[0.0], [0.5], [0.5]])).ratios()
    assert np.isnan(ratios[:, 0]).all()
    assert ratios[0, 1] == pytest.approx(1.2)


def test_a_source_is_scored_on_classes_that_it_has_not_seen() -> None:
    np.testing.assert_allclose(small().by_source(), [[0.35, 0.55], [0.45, NAN]])
    seen = np.array([[True, False, False], [False, False, False]])
    np.testing.assert_allclose(small(seen=seen).by_source(), [[0.5, 0.7], [0.45, NAN]])


def test_groups_are_means_over_the_classes_that_have_a_score() -> None:
    seen = np.array([[True, False, False], [False, False, False]])
    grouped = small(seen=seen).grouped({"things": ["kite", "zebra"], "kitchen": ["toaster"], "up": ["kite"]})
    assert grouped.targets == ("things", "kitchen", "up")
    # Cat has seen the kite: among the things the zebra alone counts, and the group of kites is one it has seen.
    np.testing.assert_allclose(grouped.scores[0], [[0.5, 0.7], [NAN, NAN], [0.2, 0.4]])
    np.testing.assert_allclose(grouped.scores[1], [[0.45, NAN], [NAN, NAN], [0.8, NAN]])
    np.testing.assert_array_equal(grouped.seen, [[False, False, True], [False, False, False]])
    np.testing.assert_allclose(grouped.reference, [[0.4, 0.5], [NAN, NAN], [0.4, 0.6]])
    with pytest.raises(UserError, match="has a class without a column: 'cow'"):
        small().grouped({"animals": ["zebra", "cow"]})


def test_labels_and_arrays_belong_together() -> None:
    with pytest.raises(ValueError, match="labels for"):
        small(sources=("cat",))


def test_parquet_gives_back_the_matrix(tmp_path: Path) -> None:
    matrix = small(seen=np.array([[True, False, False], [False, False, True]]), protocol="probe")
    again = read_matrix(write_matrix(matrix, tmp_path / "m.parquet"))
    assert (again.sources, again.targets, again.seeds) == (matrix.sources, matrix.targets, matrix.seeds)
    assert (again.metric, again.protocol) == ("mask_AP", "probe")
    np.testing.assert_array_equal(again.scores, matrix.scores)
    np.testing.assert_array_equal(again.seen, matrix.seen)
    np.testing.assert_allclose(again.ratios(), matrix.ratios())
    none = read_matrix(write_matrix(small(reference=np.empty((3, 0))), tmp_path / "n.parquet"))
    assert none.reference.shape == (3, 0)


def test_csv_has_a_row_a_cell_with_every_digit(tmp_path: Path) -> None:
    third = small(scores=small().scores / 3)
    with write_matrix(third, tmp_path / "m.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3 * 2
    assert set(rows[0]) == {"metric", "protocol", "source", "target", "seed", "seen", "score", "reference"}
    cells = {(row["source"], row["target"], int(row["seed"])): row["score"] for row in rows}
    assert float(cells["cat", "zebra", 5]) == 0.7 / 3
    assert cells["dog", "kite", 5] == ""


def test_netcdf_has_labelled_arrays(tmp_path: Path) -> None:
    with netcdf_file(write_matrix(small(), tmp_path / "m.nc"), mmap=False) as file:
        assert file.variables["score"].dimensions == ("source", "target", "seed")
        np.testing.assert_array_equal(file.variables["score"][:], small().scores)
        names = ["".join(letter.decode() for letter in row).rstrip("\0") for row in file.variables["target"][:]]
        assert names == ["kite", "zebra", "toaster"]
        assert file.metric == b"mask_AP"


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown format; end the name in \.parquet"):
        write_matrix(small(), tmp_path / "m.xlsx")
    with pytest.raises(UserError, match="no such file"):
        read_matrix(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(UserError, match="damaged"):
        read_matrix(tmp_path / "text.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(UserError, match="no transfer matrix of this version"):
        read_matrix(tmp_path / "other.parquet")


def test_differences_are_over_shared_cells() -> None:
    generator = np.random.default_rng(0)
    values = generator.random((6, 9))
    values[generator.random(values.shape) < 0.3] = NAN
    values[4] = NAN
    found = differences(values)
    expected = np.full((6, 6), NAN)
    for one, other in itertools.product(range(6), repeat=2):
        gaps = [(a - b) ** 2 for a, b in zip(values[one], values[other], strict=True) if not math.isnan(a + b)]
        expected[one, other] = math.sqrt(sum(gaps) / len(gaps)) if gaps else NAN
    furthest = np.nanmax(expected)
    expected = np.where(np.isnan(expected), furthest, expected)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_alike_rows_stand_together() -> None:
    generator = np.random.default_rng(1)
    kinds = generator.permutation(np.repeat([0, 1, 2], 7))
    profiles = generator.random((3, 40))
    values = profiles[kinds] + generator.normal(0, 0.01, (21, 40))
    values[generator.random(values.shape) < 0.1] = NAN
    order = similar_first(values)
    assert sorted(order) == list(range(21))
    changes = sum(kinds[one] != kinds[other] for one, other in itertools.pairwise(order))
    assert changes == 2
    assert similar_first(values[order]) == list(range(21)), "the order does not depend on how rows came"


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows_have_an_order_too(rows: int) -> None:
    assert similar_first(np.array([[0.1, NAN], [0.5, 0.2]])[:rows]) == [[], [0], [1, 0]][rows]
