"""Published rows: against the fact sheet beside the checkout, the paper's arithmetic, and ways to write them wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from psis_bench.config import resolve_config
from psis_bench.errors import UserError
from psis_bench.leaderboard.published import read_published
from psis_bench.leaderboard.rows import GROUPS, METRICS, Row
from psis_bench.splits.registry import get_split

GOOD = """
schema: 1
paper: someone2020
table: Table 1
about: Something.
data: coco
rows:
  - row: first
    model: Model
    split: voc2nonvoc@1
    metrics:
      mask_AP: {all: 0.3, seen: 0.4, unseen: null}
"""
PAPERS = "someone2020: {title: A paper, authors: Someone, venue: Somewhere 2020, paper: 'https://example.org/p'}"


@pytest.fixture(scope="module")
def rows(repository: Path) -> list[Row]:
    return read_published(repository / "model_zoo" / "published")


@pytest.fixture(scope="module")
def fact_sheet(shared_data: Path) -> str:
    path = shared_data.parent / "reference.md"
    if not path.is_file():
        pytest.skip("the fact sheet is not beside the checkout")
    return path.read_text("utf-8").replace(" / ", "/")


def table(rows: list[Row], number: int) -> list[Row]:
    return [row for row in rows if row.name.startswith(f"birodkar2021-table{number:02d}-")]


def printed(row: Row, *keys: str) -> list[str]:
    return [f"{100 * row.numbers[key].mean:.1f}" for key in keys]


def groups(metric: str) -> list[str]:
    return [f"{metric}.{group}" for group in GROUPS]


@pytest.mark.parametrize("number", [1, 5, 6, 10, 13])
def test_overall_seen_unseen_are_those_of_the_fact_sheet(rows: list[Row], fact_sheet: str, number: int):
    assert len(table(rows, number)) >= 3
    for row in table(rows, number):
        assert "/".join(printed(row, *groups("mask_AP"))) in fact_sheet, row.title


@pytest.mark.parametrize("number", [4, 7])
def test_ious_are_those_of_the_fact_sheet(rows: list[Row], fact_sheet: str, number: int):
    assert table(rows, number)
    for row in table(rows, number):
        assert "/".join(printed(row, *groups("gt_box_miou"))) in fact_sheet, row.title


def test_tables_of_other_shapes_are_those_of_the_fact_sheet(rows: list[Row], fact_sheet: str):
    second = table(rows, 2)
    for proposals, exact in zip(second[::2], second[1::2], strict=True):
        seen, unseen = ([*printed(proposals, key), *printed(exact, key)] for key in ("mask_AP.seen", "mask_AP.unseen"))
        assert "/".join(seen + unseen) in fact_sheet
    third = table(rows, 3)
    for resnet, hourglass in zip(third[::2], third[1::2], strict=True):
        pairs = [",".join(printed(row, "box_AP.all", "mask_AP.unseen")) for row in (resnet, hourglass)]
        assert "|".join(pairs) in fact_sheet
    for row in table(rows, 9):
        assert "/".join(printed(row, "mask_AP.all", "mask_APs.all", "mask_APm.all", "mask_APl.all")) in fact_sheet
    for row in table(rows, 11):
        assert "/".join(printed(row, *[key for key in groups("mask_AP") if key in row.numbers])) in fact_sheet
    for row in table(rows, 12):
        assert printed(row, "mask_AP.all")[0] in fact_sheet


def test_the_table_of_the_best_models_is_that_of_the_fact_sheet(rows: list[Row], fact_sheet: str):
    best = table(rows, 8)
    assert len(best) == 14
    sizes = ("mask_AP", "mask_AP50", "mask_AP75", "mask_APs", "mask_APm", "mask_APl")
    for forward, backward in zip(best[::2], best[1::2], strict=True):
        assert (forward.split.name, backward.split.name) == ("voc2nonvoc", "nonvoc2voc")
        directions = ["/".join(printed(row, *[f"{name}.unseen" for name in sizes])) for row in (forward, backward)]
        time = "\u2013" if forward.ms_per_image is None else f"{forward.ms_per_image:g}"
        assert " | ".join([*printed(forward, "box_AP.all"), *directions, time]) in fact_sheet, forward.title


def test_the_numbers_of_the_text_are_those_of_the_fact_sheet(rows: list[Row], fact_sheet: str):
    text = {row.title: row for row in rows if row.name.startswith("birodkar2021-text")}
    shallow, deep = (printed(text[f"Deep-MAC, {head}"], "gt_box_miou.all")[0] for head in ("ResNet-4", "HG-100"))
    assert f"ResNet-4 **{shallow}**, HG-100 **{deep}**" in fact_sheet
    (bottle,) = printed(text["Deep-MAC, HG-52, bottle only"], "mask_AP.unseen")
    assert f"{bottle}; best **bottle**" in fact_sheet
    (chair,) = printed(text["Deep-MAC, chair only"], "mask_AP.unseen")
    assert f"chair at 1024²: {chair}" in fact_sheet
    (on_boxes,) = printed(text["Deep-MAC on ground-truth boxes"], "gt_box_miou.all")
    assert f"{on_boxes} mIOU" in fact_sheet


def test_every_overall_is_the_mean_over_classes_except_where_it_is_doubted(rows: list[Row]):
    checked = 0
    for row in rows:
        for metric in ("mask_AP", "gt_box_miou"):
            overall, seen, unseen = (row.number(key) for key in groups(metric))
            if row.split.name != "voc2nonvoc" or overall is None or seen is None or unseen is None:
                continue
            expected = (20 * seen + 60 * unseen) / 80
            doubted = bool(row.doubts_about(f"{metric}.all"))
            # Three printed numbers, each rounded to 0.1.
            assert (abs(expected - overall) > 0.0011) == doubted, row.title
            checked += 1
    assert checked > 20


def test_what_the_fact_sheet_doubts_is_doubted(rows: list[Row]):
    doubted = {(row.source.rpartition(" ")[2], row.title, doubt.number) for row in rows for doubt in row.doubts}
    for expected in (
        ("8", "Mask R-CNN, class-agnostic", "mask_AP50.unseen"),
        ("8", "Deep-MAC HG-104, HG-100", "box_AP.all"),
        ("8", "ShapeMask", "ms_per_image"),
        ("4", "Deep-MAC without detector, ResNet-4", "gt_box_miou.all"),
        ("4", "Deep-MAC without detector, HG-52", "gt_box_miou.all"),
        ("5", "Deep-MAC HG-104, HG-20", "mask_AP.unseen"),
        ("6", "Deep-MAC HG-104, ResNet-20, 0 dilated", "mask_AP.unseen"),
    ):
        assert expected in doubted


def test_every_row_has_its_source_and_a_number(rows: list[Row]):
    assert len({(row.split, row.name) for row in rows}) == len(rows)
    for row in rows:
        assert row.tier == "reported"
        assert row.numbers
        assert row.source
        assert any(link.label == "source" and link.is_safe for link in row.links)
        assert get_split(row.split.name).version == row.split.version
        assert all(key.split(".")[0] in METRICS for key in row.numbers)


def test_every_command_is_one_that_this_version_understands(rows: list[Row]):
    commands = [command for row in rows for _, command in row.commands]
    assert len(commands) >= 12
    for command in commands:
        assert command.startswith("psis-bench run ")
        resolve_config(command.split()[2:])


def write(folder: Path, table_text: str, papers: str = PAPERS) -> Path:
    (folder / "someone2020").mkdir(parents=True)
    (folder / "papers.yaml").write_text(papers, encoding="utf-8")
    (folder / "someone2020" / "table1.yaml").write_text(table_text, encoding="utf-8")
    return folder


def test_null_and_what_is_left_out_is_no_number(tmp_path: Path):
    (row,) = read_published(write(tmp_path, GOOD))
    assert row.number("mask_AP.seen") == 0.4
    assert row.number("mask_AP.unseen") is None
    assert row.number("box_AP.all") is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "0.4",
            "40.9",
            "rows[0]: metrics: mask_AP.seen: 40.9 is not a number from 0 to 1 or null; divide percents by 100",
        ),
        ("0.4", "true", "True is not a number from 0 to 1"),
        ("0.4", ".nan", "nan is not a number from 0 to 1"),
        ("mask_AP:", "maskAP:", "unknown key 'maskAP'; did you mean 'mask_AP'"),
        ("seen: 0.4", "sen: 0.4", "unknown key 'sen'; did you mean 'seen'"),
        ("voc2nonvoc@1", "voc2nonvoc", "'voc2nonvoc' is not a split with a version; write it as voc2nonvoc@1"),
        ("voc2nonvoc@1", "../../x@1", "is not a split with a version"),
        ("paper: someone2020", "paper: someone", "unknown paper 'someone'"),
        ("schema: 1", "schema: 2", "schema 2 is not known"),
        ("model: Model", "model_name: Model", "unknown key 'model_name'"),
        ("data: coco\n", "", "has no 'data'"),
        ("model: Model", "model: Model\n    doubts: [{number: mask_AP.sen, why: x}]", "did you mean 'mask_AP.seen'"),
        ("model: Model", "model: Model\n    ms_per_image: -1", "-1 is not a number above 0 or null"),
        ("schema: 1", "schema: [", "not YAML"),
    ],
)
def test_mistakes_are_named_with_place_and_cure(tmp_path: Path, old: str, new: str, message: str):
    assert old in GOOD
    with pytest.raises(UserError) as caught:
        read_published(write(tmp_path, GOOD.replace(old, new, 1)))
    assert message in str(caught.value)
    assert "table1.yaml" in str(caught.value)


def test_no_folder_is_no_rows(tmp_path: Path):
    assert read_published(tmp_path / "published") == []
