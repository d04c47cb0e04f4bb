"""The script's tables, from scores made by hand; the runs themselves are replaced."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

UNSEEN = {"resnet4": [0.60, 0.62, 0.64], "hourglass20": [0.65, 0.68, 0.68]}


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    path = repository / "analysis" / "strong_mask_generalization.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scores_of(head: str, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    def group(iou: float) -> dict[str, dict[str, float]]:
        return {
            "gt_box_miou": {"class_mean": iou, "instance_mean": iou - 0.01},
            "full_box": {"class_mean": 0.48},
            "ellipse": {"class_mean": 0.52},
        }

    return {"seen": group(0.7), "unseen": group(UNSEEN[head][seed]), "all": group(0.5)}


@pytest.fixture
def table(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.setattr(script, "run_scores", lambda arguments, head, seed: scores_of(head, int(seed)))
    return script.collect([], list(UNSEEN), ["0", "1", "2"])


def test_one_row_a_head_seed_and_group(table: pd.DataFrame) -> None:
    assert len(table) == 2 * 3 * 2
    row = table[(table["head"] == "hourglass20") & (table["seed"] == 1) & (table["group"] == "unseen")].iloc[0]
    assert (row["miou"], row["instance_miou"], row["full_box"], row["ellipse"]) == (0.68, 0.67, 0.48, 0.52)


def test_the_summary_has_the_trivial_rows_and_t_intervals(script: ModuleType, table: pd.DataFrame) -> None:
    summary = script.summarise(table)
    unseen = summary[summary["group"] == "unseen"].set_index("head")
    assert list(unseen.index) == ["full box", "ellipse", "resnet4", "hourglass20"]
    assert math.isnan(unseen.loc["ellipse", "low"])
    # t(0.975, 2) = 4.3027; the standard error of 60, 62, 64 is 2 / sqrt(3).
    assert unseen.loc["resnet4", "mean"] == pytest.approx(0.62)
    assert unseen.loc["resnet4", "high"] == pytest.approx(0.62 + 4.3027 * 0.02 / math.sqrt(3), abs=1e-5)


def test_differences_are_paired_by_seed(script: ModuleType, table: pd.DataFrame) -> None:
    gaps = script.differences(table).set_index("group")
    # 5, 6 and 4 points: standard deviation 1, whatever the spread between seeds.
    assert gaps.loc["unseen", "mean"] == pytest.approx(0.05)
    assert gaps.loc["unseen", "high"] == pytest.approx(0.05 + 4.3027 * 0.01 / math.sqrt(3), abs=1e-5)
    assert gaps.loc["seen", "mean"] == pytest.approx(0.0)


def test_the_table_names_every_head_in_order(script: ModuleType, table: pd.DataFrame) -> None:
    lines = script.as_markdown(script.summarise(table), script.differences(table)).splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == [
        "full box",
        "ellipse",
        "resnet4",
        "hourglass20",
        "hourglass20 minus resnet4",
    ]
    assert "| 62.0 [57.0, 67.0] |" in lines[4]
