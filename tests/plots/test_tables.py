"""The paper's tables: literals of the paper, and measured runs in the rows whose setting they have."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from psis_bench.cli import main
from psis_bench.config import config_to_yaml, resolve_config
from psis_bench.errors import UserError
from psis_bench.plots.figure3 import depth_table, family_of
from psis_bench.plots.measured import Measured, read_measured
from psis_bench.plots.tables import _ORDER, as_latex, as_markdown, columns_of, fill, long_table, table_recipes

ORDERED = {
    "table1": [0.182, 0.259, 0.196, 0.293],
    "table2": [0.196, 0.293, 0.210, 0.274, 0.206, 0.338, 0.206, 0.344],
    "table3": [0.226, 0.248, 0.267, 0.266, 0.294, 0.325],
    "table5": [0.288, 0.322, 0.317, 0.292],
    "table6": [0.299, 0.306, 0.307],
    "table8": [0.185, 0.197, 0.238, 0.332, 0.340, 0.355, 0.387, 0.247, 0.196, 0.295, 0.357, 0.368, 0.391, 0.410],
    "table10": [None, None, 0.282, 0.288, 0.322, 0.327, 0.315, 0.325],
    "table11": [0.260, 0.282],
    "table13": [0.363, 0.347, 0.404],
}
"""The paper's mask AP of unseen classes, from top to bottom, Table 2 by row, the left half of Table 8 first."""


def run(folder: Path, unseen: float, *keys: str, seen: float = 0.8) -> Path:
    """Make a run directory with GT-box mIoU and mask AP (a tenth less)."""
    folder.mkdir(parents=True)
    config = resolve_config(["split=voc2nonvoc", *keys, f"out={folder}"])
    (folder / "config.yaml").write_text(config_to_yaml(config))

    def group(value: float) -> dict[str, object]:
        ap = dict.fromkeys(("AP", "AP50", "AP75", "APs", "APm", "APl"), value - 0.1)
        return {"box": None, "mask": ap, "gt_box_miou": {"class_mean": value, "instance_mean": value}}

    groups = {"all": group((20 * seen + 60 * unseen) / 80), "seen": group(seen), "unseen": group(unseen)}
    (folder / "scores.json").write_text(json.dumps({"groups": groups}))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three seeds of one head, one of another, of a small model."""
    heads = [("resnet4", seed, 0.60 + 0.02 * seed) for seed in range(3)] + [("hourglass20", 0, 0.7)]
    return [run(tmp_path / f"{head}-{seed}", value, f"mask_head={head}", f"seed={seed}") for head, seed, value in heads]


@pytest.mark.parametrize(
    ("name", "title", "metric", "group", "paper"),
    [
        ("table1", "R", "mask_ap", "unseen", (0.182, 0.259, 0.196, 0.293)),
        ("table4", "R", "gt_box_miou", "unseen", (0.621, 0.778, 0.792)),
        ("table5", "H", "mask_ap", "unseen", (0.288, 0.322, 0.317, 0.292)),
        ("table9", "D", "mask_ap", "all", (0.374, 0.400, 0.392, 0.394, 0.428)),
        ("table12", "C", "mask_ap", "all", (0.372, 0.367, 0.364)),
    ],
)
def test_the_papers_numbers_are_there(name: str, title: str, metric: str, group: str, paper: tuple[float, ...]) -> None:
    recipes = table_recipes(name)
    table = long_table([(recipe, None) for recipe in recipes], columns_of(recipes))
    found = table[(table["metric"] == metric) & (table["group"] == group)]["paper"].dropna()
    assert sorted(found) == sorted(paper)
    assert table["mean"].isna().all()


def test_every_table_can_be_written(tmp_path: Path) -> None:
    for number in range(1, 14):
        assert main(["plot", f"table{number}", f"out={tmp_path}"]) == 0
        assert {f"table{number}.{suffix}" for suffix in ("md", "tex", "csv")} <= {p.name for p in tmp_path.iterdir()}


def test_runs_stand_in_the_row_of_their_mask_head_with_what_they_were(runs: list[Path]) -> None:
    recipes = table_recipes("table4")
    rows, notes = fill(recipes, read_measured(runs))
    assert not notes
    table = long_table(rows, columns_of(recipes)).set_index(["row", "metric", "group"])
    row = table.loc["ResNet-4", "gt_box_miou", "unseen"]
    assert row["paper"] == 0.621
    # Seeds of 60, 62 and 64: t(0.975, 2) = 4.3027, standard error 2 / sqrt(3).
    assert row["mean"] == pytest.approx(0.62)
    assert row["high"] == pytest.approx(0.62 + 0.02 * 4.3027 / math.sqrt(3), abs=1e-5)
    assert (row["seeds"], row["measured_with"]) == (3, "detection_free/small resnet4 on synthetic")
    single = table.loc["Hourglass-20", "gt_box_miou", "unseen"]
    assert single["mean"] == 0.7
    assert math.isnan(single["low"])
    text = as_markdown(rows, columns_of(recipes), title="Table 4")
    assert "| 62.1 | 62.0 [57.0, 67.0] | detection_free/small resnet4 on synthetic (3 seeds) |" in text
    assert "| 77.8 | 70.0 | detection_free/small hourglass20 on synthetic (1 seed) |" in text


def test_a_run_that_fits_several_rows_or_none_is_named(tmp_path: Path) -> None:
    small = run(tmp_path / "a", 0.5, "model=deep_marc/small", "mask_head=conv4", "crop_source=gt")
    exact = run(tmp_path / "b", 0.6, "model=deep_marc/r50", "mask_head=conv4", "crop_source=gt", "data=coco")
    other = run(tmp_path / "c", 0.7, "model=deep_marc/small", "mask_head=resnet12", "crop_source=gt")
    recipes = table_recipes("table1")
    rows, notes = fill(recipes, read_measured([small, exact, other]))
    assert [runs.model for _, runs in rows if runs] == ["deep_marc/r50"]
    assert len(notes) == 2
    assert "fits in 2 rows, and its model in none" in notes[0]
    assert "resnet12" in notes[1]
    assert "fits in no row" in notes[1]


def test_rows_stand_in_the_papers_order() -> None:
    ap = {name: [recipe.paper.get("mask_ap", {}).get("unseen") for recipe in table_recipes(name)] for name in ORDERED}
    assert ap == ORDERED
    names = [recipe.run["model"].split("/")[0] for recipe in table_recipes("table8")]
    assert names == ["mask_rcnn", "grabcut", "mask_x_rcnn", "shapemask", "cpmask", "deep_mac", "deep_marc"] * 2
    for name, rows in _ORDER.items():
        assert sorted(f"{name}/{row}" for row in rows.split()) == sorted(recipe.name for recipe in table_recipes(name))


def test_table_8_has_the_papers_times() -> None:
    recipes = table_recipes("table8")
    text = as_markdown([(recipe, None) for recipe in recipes], columns_of(recipes), title="")
    row = next(line for line in text.splitlines() if "Deep-MAC (ours), VOC" in line)
    assert row.endswith("| 50.6 | - | 232 | - | - |")


def test_rows_that_differ_in_an_override_are_told_apart(tmp_path: Path) -> None:
    branch = "mm.model.mask_branch"
    keys = ["model=deep_mac/small", "mask_head=hourglass20"]
    plain = run(tmp_path / "a", 0.5, *keys)
    without = run(tmp_path / "b", 0.6, *keys, f"{branch}.use_coordinates=false")
    neither = run(tmp_path / "c", 0.7, *keys, f"{branch}.use_coordinates=false", f"{branch}.instance_embedding=0")
    recipes = table_recipes("table10")
    rows, notes = fill(recipes, read_measured([plain, without, neither]))
    assert not notes
    found = {recipe.name: runs.values("mask_ap", "unseen") for recipe, runs in rows if runs}
    assert found == {
        "table10/hg20_both": [pytest.approx(0.4)],
        "table10/hg20_instance": [pytest.approx(0.5)],
        "table10/hg20_none": [pytest.approx(0.6)],
    }
    labels = [runs.label for _, runs in rows if runs]
    assert f"deep_mac/small hourglass20 on synthetic, {branch}.use_coordinates=False" in labels


def test_students_and_what_had_no_teacher_stand_in_tables_of_their_own(tmp_path: Path) -> None:
    keys = ["model=deep_mac/small", "mask_head=resnet4"]
    alone, student = run(tmp_path / "a", 0.5, *keys), run(tmp_path / "b", 0.6, *keys, "teacher=runs/teacher")
    for name, folder in (("table13", student), ("table4", alone)):
        rows, notes = fill(table_recipes(name), read_measured([alone, student]))
        assert [runs.folders for _, runs in rows if runs] == [(folder,)]
        assert len(notes) == 1


def test_a_probe_is_told_and_never_mixed(tmp_path: Path) -> None:
    full = run(tmp_path / "a", 0.5, "mask_head=resnet4")
    probes = [run(tmp_path / f"b{seed}", 0.6, "mask_head=resnet4", f"seed={seed}") for seed in (0, 1)]
    for folder in probes:
        (folder / "probe.json").write_text('{"iterations": 30}')
    recipes = table_recipes("table4")
    rows, _ = fill(recipes, read_measured([full, *probes]))
    assert [len(runs.folders) for _, runs in rows if runs] == [1, 2], "seeds of two protocols have no mean"
    table = long_table(rows, columns_of(recipes)).dropna(subset="mean")
    assert set(table["protocol"]) == {"full", "probe"}
    assert "resnet4 on synthetic, probe mode (2 seeds) |" in as_markdown(rows, columns_of(recipes), title="")
    with pytest.raises(UserError, match="differ in more than their mask head: probe is false, true"):
        depth_table(read_measured([full, *probes]), "mask_ap")
    assert main(["plot", "figure3", *map(str, probes), f"out={tmp_path}/o", "format=svg"]) == 0
    assert "mask AP (probe)" in (tmp_path / "o" / "figure3.svg").read_text()
    assert set(pd.read_csv(tmp_path / "o" / "figure3.csv")["protocol"]) == {"probe"}


def test_latex_has_a_cell_a_column_and_no_bare_special_characters(runs: list[Path]) -> None:
    recipes = table_recipes("table2")
    columns = columns_of(recipes)
    text = as_latex(fill(recipes, read_measured(runs))[0], columns)
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in body} == {2 * len(columns) + 1}
    assert "_" not in text.replace(r"\_", "")


def test_figure_3_has_a_row_a_head_and_group(runs: list[Path], tmp_path: Path) -> None:
    assert main(["plot", "figure3", *map(str, runs), f"out={tmp_path}/o", "metric=gt_box_miou", "format=svg"]) == 0
    table = pd.read_csv(tmp_path / "o" / "figure3.csv")
    assert table[["family", "depth", "group", "seeds"]].to_numpy().tolist() == [
        ["ResNet", 4, "seen", 3],
        ["ResNet", 4, "unseen", 3],
        ["Hourglass", 20, "seen", 1],
        ["Hourglass", 20, "unseen", 1],
    ]
    assert ">layers of the mask head</text>" in (tmp_path / "o" / "figure3.svg").read_text()


def test_figure_3_is_of_one_setting(runs: list[Path], tmp_path: Path) -> None:
    other = run(tmp_path / "other", 0.5, "model=deep_marc/small", "mask_head=resnet8")
    with pytest.raises(UserError, match="differ in more than their mask head"):
        depth_table(read_measured([*runs, other]), "mask_ap")


@pytest.mark.parametrize(
    ("head", "family"),
    [
        ("resnet4", ("ResNet", 4)),
        ("hourglass100", ("Hourglass", 100)),
        ("resnet_bottleneck21", ("ResNet bottleneck", 21)),
        ("resnet_bottleneck_quarter6", ("ResNet bottleneck, 1/4", 6)),
        ("fully_connected2", ("fully connected", 2)),
        ("resnet20_dilated10", None),
        ("mine", None),
        (None, None),
    ],
)
def test_families(head: str | None, family: tuple[str, int] | None) -> None:
    assert family_of(head) == family


def test_a_models_own_mask_head_is_looked_up(tmp_path: Path) -> None:
    measured: list[Measured] = read_measured([run(tmp_path / "a", 0.5)])
    assert measured[0].mask_head == "hourglass20"
    (tmp_path / "a" / "scores.json").write_text("{")
    with pytest.raises(UserError, match=r"scores\.json: damaged"):
        read_measured([tmp_path / "a"])
    (tmp_path / "a" / "scores.json").unlink()
    with pytest.raises(UserError, match="no run is scored yet"):
        read_measured([tmp_path / "a"])
