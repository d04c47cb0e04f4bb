"""The recipes: their numbers against the paper's text and against the published rows, and what a run is given."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from psis_bench.cli import main
from psis_bench.commands.stages import config_of
from psis_bench.config import configs_dir, resolve_config
from psis_bench.errors import UserError
from psis_bench.recipes import Recipe, expand, list_recipes, read_recipe, recipe_names

RECIPES = {recipe.name: recipe for recipe in list_recipes()}
ROWS = {  # trainings behind each table
    "table1": 4,
    "table2": 8,
    "table3": 6,
    "table4": 3,
    "table5": 4,
    "table6": 3,
    "table7": 2,
    "table8": 14,
    "table10": 8,
    "table11": 2,
    "table12": 3,
    "table13": 3,
    "figure3": 20,
}
# Rows whose three printed means do not fit together; each recipe says so.
MISPRINTED = {"table4/resnet4", "table4/hg52"}


def numbers(recipe: Recipe) -> list[float]:
    """Return a recipe's numbers as the paper prints them."""
    groups = [values for values in recipe.paper.values() if isinstance(values, dict)]
    return [round(100 * value, 1) for values in groups for value in values.values()]


def test_every_row_has_its_recipe() -> None:
    counted: dict[str, int] = {}
    for name in recipe_names():
        table = name.partition("/")[0]
        counted[table] = counted.get(table, 0) + 1
    assert counted == ROWS
    assert list(counted) == list(ROWS)  # the order of the listing


@pytest.mark.parametrize("name", RECIPES)
def test_each_says_where_it_is_from_and_what_it_runs(name: str) -> None:
    recipe = RECIPES[name]
    kind, number = re.fullmatch(r"(table|figure)(\d+)/\w+", name).groups()  # type: ignore[union-attr]
    assert recipe.where.startswith(f"{kind.capitalize()} {number}, ")
    assert recipe.path.read_text("utf-8").startswith(f"# {kind.capitalize()} {number}, ")
    teacher = " teacher=runs/table8/deep_mac-seed0" if kind == "table" and number == "13" else ""
    assert recipe.command == f"psis-bench run recipe={name}{teacher} data.root=/path/to/coco"
    assert set(recipe.setting) == {"image_size", "schedule", "start", "hardware", "hours"}
    assert recipe.unverified


@pytest.mark.parametrize("name", [name for name in RECIPES if len(RECIPES[name].paper.get("mask_ap", {})) == 3])
def test_means_of_groups_fit_together(name: str) -> None:
    _of_three(RECIPES[name].paper["mask_ap"], misprinted=False)


@pytest.mark.parametrize("name", [name for name in RECIPES if "gt_box_miou" in RECIPES[name].paper])
def test_mean_ious_of_groups_fit_together(name: str) -> None:
    _of_three(RECIPES[name].paper["gt_box_miou"], misprinted=name in MISPRINTED)
    assert any("do not fit together" in doubt for doubt in RECIPES[name].unverified) == (name in MISPRINTED)


def _of_three(groups: dict[str, float], *, misprinted: bool) -> None:
    difference = abs((20 * groups["seen"] + 60 * groups["unseen"]) / 80 - groups["all"])
    assert (difference > 0.0015) == misprinted


# The main part of the paper as a text with one line a row: an extraction made apart from the one with the appendix.
LINES = {
    "table1/r50_proposals": "Prop.+GT\t50",
    "table1/r50_gt": "GT-Only\t50",
    "table1/r101_proposals": "Prop.+GT\t101",
    "table1/r101_gt": "GT-Only\t101",
    "table2/default": "Default\t40",
    "table2/resnet4": "ResNet-4\t39.2",
    "table2/hg20": "HG-20\t",
    "table2/hg52": "HG-52\t42",
    "table3/{}_resnet4": "ResNet-4\t32",
    "table3/{}_hg10": "Hourglass-10\t",
    "table3/{}_hg20": "Hourglass-20\t32",
    "table4/resnet4": "ResNet-4\t67",
    "table4/hg20": "Hourglass-20\t78",
    "table4/hg52": "Hourglass-52\t",
    "table5/resnet20": "ResNet-20\tDefault",
    "table5/hg20": "Hourglass-20\tDefault",
    "table5/hg20_no_lrs": "\tNo LRS",
    "table5/hg20_no_ed": "\tNo ED",
    "table6/dilated0": "0\t32",
    "table6/dilated10": "10\t32",
    "table6/dilated20": "20\t32",
    "table7/hg52_hg52": "HG-52\tHG-52",
    "table7/hg104_resnet4": "HG-104\tResNet-4",
    "table8/mask_rcnn": "Mask R-CNN [20]",
    "table8/mask_grabcut": "Mask GrabCut",
    "table8/mask_x_rcnn": "Mask ^X",
    "table8/shapemask": "ShapeMask [27]\t",
    "table8/cpmask": "CPMask [10]\t",
    "table8/deep_mac": "Deep-MAC (ours)",
    "table8/deep_marc": "Deep-MARC (ours)",
}


@pytest.fixture(scope="session")
def paper_lines(shared_data: Path) -> list[str]:
    """The lines of the paper's main part; tables are tab-separated there."""
    path = shared_data.parent / "paper" / "paper_main.txt"
    if not path.is_file():
        pytest.skip(f"{path} is missing: the text of the paper")
    return path.read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", LINES)
def test_numbers_are_those_of_the_papers_text(name: str, paper_lines: list[str]) -> None:
    (line,) = (line for line in paper_lines if line.startswith(LINES[name]))
    printed = [float(cell) for cell in line.split("\t") if re.fullmatch(r"\d+\.\d", cell)]
    if name.startswith("table2/"):
        gt, proposals = (RECIPES[key].paper["mask_ap"] for key in (name, f"{name}_proposals"))
        order = [proposals["seen"], gt["seen"], proposals["unseen"], gt["unseen"]]
        mine = [round(100 * value, 1) for value in order]
    elif name.startswith("table3/"):
        mine = numbers(RECIPES[name.format("r101")]) + numbers(RECIPES[name.format("hg104")])
    elif name.startswith("table8/"):
        box, *there = numbers(RECIPES[name])
        again, *back = numbers(RECIPES[f"{name}_to_voc"])
        assert box == again
        mine = [box, *there, *back]
        milliseconds = RECIPES[name].paper.get("ms_per_image")
        assert line.split("\t")[-1] == (str(milliseconds) if milliseconds else "—")
    else:
        mine = numbers(RECIPES[name])
    assert mine == printed


@functools.cache
def published() -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return each row of the published results: another transcription of the same tables."""
    return tuple(_published())


def _published() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((configs_dir().parent / "model_zoo" / "published" / "birodkar2021").glob("*.yaml")):
        table = yaml.safe_load(path.read_text("utf-8"))
        for row in table["rows"]:
            yield table["table"], row


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith(("table13", "figure3"))])
def test_numbers_are_those_of_the_published_rows(name: str) -> None:
    recipe = RECIPES[name]
    table = recipe.where.partition(",")[0]
    rows = [row for of_table, row in published() if of_table == table]
    assert rows, f"no published rows of {table}"
    keys = {"mask_ap": "mask_AP", "box_ap": "box_AP", "gt_box_miou": "gt_box_miou"}
    mine = {
        (keys[metric], group, value)
        for metric, groups in recipe.paper.items()
        if metric in keys
        for group, value in groups.items()
    }
    fitting = [
        row
        for row in rows
        if mine
        <= {
            (metric, group, value)
            for metric, groups in row["metrics"].items()
            if isinstance(groups, dict)
            for group, value in groups.items()
        }
    ]
    assert fitting, f"no published row of {table} has {sorted(mine)}"


# The appendix is in one extraction only; these are read off it a second time.
@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("table10/hg20_none", (34.1, 39.8, 32.2)),
        ("table10/hg20_instance", (34.5, 39.9, 32.7)),
        ("table10/hg20_coordinates", (33.6, 39.9, 31.5)),
        ("table10/hg20_both", (34.3, 39.8, 32.5)),
        ("table10/resnet20_none", ()),
        ("table10/resnet20_instance", ()),
        ("table10/resnet20_coordinates", (30.9, 39.1, 28.2)),
        ("table10/resnet20_both", (31.4, 39.1, 28.8)),
        ("table11/fc2", (29.1, 38.4, 26.0)),
        ("table11/fc4", (30.5, 37.5, 28.2)),
        ("table12/specific", (37.2,)),
        ("table12/agnostic_proposals", (36.7,)),
        ("table12/agnostic_gt", (36.4,)),
        ("table13/deep_mac_r4", (37.8, 42.2, 36.3)),
        ("table13/mask_rcnn_r50", (36.1, 40.2, 34.7)),
        ("table13/mask_rcnn_sn143", (41.9, 46.4, 40.4)),
        ("figure3/resnet4", (39.7, 26.6)),
        ("figure3/hg52", (39.8, 32.5)),
        ("figure3/hg32", ()),
    ],
)
def test_numbers_of_the_appendix(name: str, printed: tuple[float, ...]) -> None:
    assert tuple(numbers(RECIPES[name])) == printed


@pytest.mark.parametrize("name", [name for name in RECIPES if not RECIPES[name].missing()])
def test_a_run_of_a_recipe_is_a_run_of_its_settings(name: str) -> None:
    recipe = RECIPES[name]
    given = config_of([f"recipe={name}", "seed=3"])
    assert given.out == f"runs/{name}-seed3"
    plain = resolve_config([*recipe.arguments(), "seed=3", f"out={given.out}"])
    assert given == plain
    assert given.split == recipe.run["split"]
    assert given.mm == recipe.run.get("mm", {})


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("table13/")])
def test_a_student_of_table_13_needs_only_its_teacher(name: str, tmp_path: Path) -> None:
    config = config_of([f"recipe={name}", f"teacher={tmp_path}"])
    assert (config.split, config.data.name, config.teacher) == ("voc2nonvoc", "coco", str(tmp_path))
    assert config.model == RECIPES[name].run["model"]


def test_what_is_given_beside_a_recipe_wins() -> None:
    config = config_of(["mask_head=resnet4", "recipe=table10/hg20_none", "data=synthetic", "mm.batch_size=2"])
    assert config.mask_head == "resnet4"
    assert config.mm["batch_size"] == 2
    assert config.mm["model.mask_branch.use_coordinates"] is False
    assert config.out == "runs/table10/hg20_none-synthetic-seed0"
    assert config_of(["recipe=table2/hg52", "out=x"]).out == "x"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recipe=table2/hg5"], "unknown recipe 'table2/hg5'; did you mean 'table2/hg52'"),
        (["recipe=table12"], "choose one of: table12/agnostic_gt"),
        (["recipe="], "unknown recipe ''"),
        (["recipe=table2/hg52", "recipe=table1/r50_gt"], "two recipes are given; give one recipe="),
        (["recipe=table13/mask_rcnn_r50"], "cannot be run yet: it needs teacher of table8/deep_mac"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_recipe_without_its_model_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psis_bench.recipes.config_names", lambda kind: ["resnet4"])
    with pytest.raises(UserError, match="recipe table2/hg52 cannot be run yet: it needs model deep_marc/r101"):
        expand(["recipe=table2/hg52"])
    assert read_recipe("table2/hg52").missing() == ["model deep_marc/r101", "mask_head hourglass52"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run: 3", "has no 'where'"),
        ("where: a\nrun: {split: a, data: b, network: c}\nsetting: {}\ncommand: d", "unknown key 'network'"),
        (
            "where: a\nrun: {split: a, data: b, model: c}\npaper: {mask_ap: {all: 32.2}}\n"
            "setting: {hours: 1}\ncommand: d",
            "32.2",
        ),
        (
            "where: a\nrun: {split: a, data: b, model: c}\nsetting: {hours: 1}\ncommand: d\nneeds: text",
            "a list of texts",
        ),
    ],
)
def test_broken_recipes(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes" / "table1").mkdir(parents=True)
    (tmp_path / "recipes" / "table1" / "row.yaml").write_text(text)
    monkeypatch.setattr("psis_bench.config.configs_dir", lambda: tmp_path)
    with pytest.raises(UserError) as caught:
        read_recipe("table1/row")
    assert message in str(caught.value)
    assert "row.yaml" in str(caught.value)


def test_the_listing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "recipes"]) == 0
    shown = capsys.readouterr().out
    for name in RECIPES:
        assert f" {name} " in shown
    assert "AP 34.4" in shown
    assert "mIoU 62.1" in shown
