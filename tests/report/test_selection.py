from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from psis_bench.report.selection import LEAST_SIDE, WINDOW, choose_examples

PERCENTILES = (90.0, 50.0, 10.0)


def _instances(count: int, classes: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "annotation_id": rng.permutation(count) + 100,
            "category_id": rng.integers(0, classes, count),
            "iou": np.round(rng.beta(4, 2, count), 2),
            "side": rng.uniform(5, 200, count),
        }
    )


@pytest.mark.parametrize("seed", range(4))
def test_chosen_instances_lie_within_the_window_of_their_percentile(seed: int) -> None:
    table = _instances(600, 60, seed)
    large = [row for row in table.itertuples() if row.side >= LEAST_SIDE]
    by_rank = sorted(large, key=lambda row: (row.iou, row.annotation_id))
    rank = {row.annotation_id: 100 * place / (len(by_rank) - 1) for place, row in enumerate(by_rank)}
    rows = choose_examples(table, percentiles=PERCENTILES, count=6)
    assert [row.percentile for row in rows] == list(PERCENTILES)
    for row in rows:
        assert row.candidates == len(large)
        assert row.iou == pytest.approx(float(np.percentile([other.iou for other in large], row.percentile)))
        assert len(row.annotation_ids) == 6
        for annotation_id in row.annotation_ids:
            assert abs(rank[annotation_id] - row.percentile) <= WINDOW


def test_no_class_comes_twice_while_others_are_left_and_no_instance_ever_does() -> None:
    table = _instances(2000, 80)
    rows = choose_examples(table, percentiles=PERCENTILES, count=6)
    ids = [i for row in rows for i in row.annotation_ids]
    classes = Counter(table.set_index("annotation_id").loc[ids, "category_id"])
    assert len(set(ids)) == 18
    assert max(classes.values()) == 1


def test_the_first_choice_is_the_instance_nearest_to_the_percentile() -> None:
    table = _instances(301, 1)
    large = table[table["side"] >= LEAST_SIDE]
    (row,) = choose_examples(table, percentiles=(50.0,), count=1)
    nearest = (large["iou"] - np.percentile(large["iou"], 50)).abs().min()
    chosen = float(large.set_index("annotation_id").loc[row.annotation_ids[0], "iou"])
    assert abs(chosen - row.iou) == pytest.approx(nearest)


def test_rows_go_from_better_to_worse_and_do_not_depend_on_the_order_of_the_table() -> None:
    table = _instances(400, 30)
    rows = choose_examples(table, percentiles=PERCENTILES, count=6)
    ious = table.set_index("annotation_id")["iou"]
    for row in rows:
        shown = ious.loc[list(row.annotation_ids)].tolist()
        assert shown == sorted(shown, reverse=True)
    assert choose_examples(table.sample(frac=1, random_state=1), percentiles=PERCENTILES, count=6) == rows


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_few_instances_are_shared_out_without_repeats(count: int) -> None:
    table = _instances(count, 2).assign(side=50.0)
    rows = choose_examples(table, percentiles=PERCENTILES, count=6)
    ids = [i for row in rows for i in row.annotation_ids]
    assert len(ids) == len(set(ids)) == count


def test_small_or_unscored_instances_are_not_shown() -> None:
    table = _instances(10, 3).assign(side=LEAST_SIDE - 0.01)
    assert choose_examples(table, percentiles=PERCENTILES, count=6) == []
    assert choose_examples(table.assign(side=90.0, iou=np.nan), percentiles=PERCENTILES, count=6) == []
