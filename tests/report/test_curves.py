from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from psis_bench.report.curves import class_columns, iou_by_size, iou_distribution, thin_log


def _per_instance(count: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "group": rng.choice(["seen", "unseen"], count),
            "iou": rng.uniform(0, 1, count).round(2),
            "ellipse_iou": rng.uniform(0, 1, count),
            "area": rng.uniform(4, 40_000, count),
        }
    )


def test_distribution_is_the_share_of_instances_at_least_as_good() -> None:
    table = _per_instance()
    result = iou_distribution(table, steps=20)
    assert list(dict.fromkeys(result["group"])) == ["seen", "unseen", "ellipse"]
    for row in result.itertuples():
        own = table[table["group"] == ("unseen" if row.group == "ellipse" else row.group)]
        values = own["ellipse_iou" if row.group == "ellipse" else "iou"]
        assert row.share == pytest.approx(sum(value >= row.iou for value in values) / len(values))


def test_distribution_of_perfect_masks_stays_at_one() -> None:
    table = _per_instance().assign(iou=1.0)
    result = iou_distribution(table)
    assert (result[result["group"] == "seen"]["share"] == 1).all()


def test_instances_without_a_mask_are_left_out() -> None:
    table = _per_instance()
    table.loc[table["group"] == "unseen", "iou"] = np.nan
    assert set(iou_distribution(table)["group"]) == {"seen", "ellipse"}
    assert iou_distribution(table.assign(iou=np.nan)).empty
    assert iou_by_size(table.assign(iou=np.nan)).empty


def test_size_bins_hold_each_instance_once_and_have_its_statistics() -> None:
    table = _per_instance()
    result = iou_by_size(table, least=1)
    seen = table[table["group"] == "seen"]
    rows = result[result["group"] == "seen"]
    assert rows["instances"].sum() == len(seen)
    assert rows["size"].is_monotonic_increasing
    for row in rows.itertuples():
        side = np.sqrt(seen["area"])
        inside = seen["iou"][(side >= row.size / 2**0.25) & (side < row.size * 2**0.25)]
        assert len(inside) == row.instances
        assert row.mean == pytest.approx(inside.mean())
        assert row.low == pytest.approx(inside.quantile(0.25))
        assert row.high == pytest.approx(inside.quantile(0.75))


def test_bins_with_few_instances_are_left_out() -> None:
    assert (iou_by_size(_per_instance(), least=30)["instances"] >= 30).all()


def test_log_is_thinned_by_averaging_neighbours() -> None:
    log = [{"iteration": float(i), "loss_a": float(i), "loss": 2.0 * i, "loss_b": 1.0, "lr": 0.1} for i in range(1, 11)]
    losses, rates = thin_log(log, points=5)
    terms = losses.groupby("term")["value"].apply(list).to_dict()
    assert terms == {"loss_a": [1.5, 3.5, 5.5, 7.5, 9.5], "loss": [3.0, 7.0, 11.0, 15.0, 19.0], "loss_b": [1.0] * 5}
    assert rates["iteration"].tolist() == [1.5, 3.5, 5.5, 7.5, 9.5]


def test_a_single_term_that_is_the_sum_is_given_once() -> None:
    losses, _ = thin_log([{"iteration": 1.0, "loss": 0.5, "loss_mask": 0.5, "lr": 0.1}])
    assert losses["term"].tolist() == ["loss"]


def test_an_empty_log_gives_empty_tables() -> None:
    losses, rates = thin_log([])
    assert losses.empty
    assert rates.empty


def _per_class(count: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"name": [f"c{i}" for i in range(count)], "group": "seen", "gt_box_miou": rng.uniform(0, 1, count),
         "ellipse_miou": 0.5}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("count", "sizes", "left_out"), [(0, [], 0), (10, [10], 0), (80, [40, 40], 0), (1203, [60, 60], 1083)]
)
def test_classes_are_cut_into_columns_best_first(count: int, sizes: list[int], left_out: int) -> None:
    table = _per_class(count)
    columns, without = class_columns(table)
    assert [len(column) for column in columns] == sizes
    assert without == left_out
    shown = [value for column in columns for value in column["miou"]]
    assert shown == sorted(shown, reverse=True)
    if count:
        assert (shown[0], shown[-1]) == (table["gt_box_miou"].max(), table["gt_box_miou"].min())


def test_classes_without_instances_have_no_bar() -> None:
    table = _per_class(5)
    table.loc[2, "gt_box_miou"] = np.nan
    columns, left_out = class_columns(table)
    assert columns[0]["name"].tolist() == table.dropna().sort_values("gt_box_miou", ascending=False)["name"].tolist()
    assert left_out == 0
