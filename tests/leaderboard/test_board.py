"""What stands in one table, in which order, and where the dots of the scatter go."""

from __future__ import annotations

import pytest

from psis_bench.errors import UserError
from psis_bench.leaderboard.board import SplitBoard, Table, arrange
from psis_bench.leaderboard.rows import Estimate, Row, SplitKey
from psis_bench.leaderboard.scatter import SIDE, scatters


def row(
    name: str, *, split: str = "voc2nonvoc", data: str = "coco", annotations: str | None = None, **numbers: float
) -> Row:
    return Row(
        name=name,
        title=name,
        tier="reported",
        split=SplitKey(split, 1),
        data=data,
        annotations=annotations,
        numbers={key.replace("__", "."): Estimate(value) for key, value in numbers.items()},
    )


def only_table(*rows: Row) -> Table:
    (board,) = arrange(rows)
    (table,) = board.tables
    return table


def columns(table: Table) -> list[str]:
    return [column.key for column in table.columns]


def test_the_best_on_unseen_classes_is_first_and_rows_without_a_number_last():
    rows = (row("a", mask_AP__unseen=0.2), row("b", gt_box_miou__unseen=0.9), row("c", mask_AP__unseen=0.3))
    assert [found.name for found in only_table(*rows).rows] == ["c", "a", "b"]


def test_rows_of_different_data_are_never_in_one_table():
    (board,) = arrange([row("a", data="coco"), row("b", data="synthetic"), row("c", data="coco")])
    assert [(table.title, len(table.rows)) for table in board.tables] == [("COCO val2017", 2), ("synthetic images", 1)]


def test_rows_of_different_annotations_are_never_in_one_table():
    one, two = "1" * 64, "2" * 64
    rows = [row("a", annotations=one), row("b", annotations=two), row("c", annotations=two), row("paper")]
    (board,) = arrange(rows)
    assert [[found.name for found in table.rows] for table in board.tables] == [["b", "c", "paper"], ["a"]]
    assert [table.title for table in board.tables] == [
        "COCO val2017, annotations 22222222",
        "COCO val2017, annotations 11111111",
    ]


def test_only_columns_with_a_number_are_shown():
    assert columns(only_table(row("a", mask_AP__unseen=0.2, mask_AP__all=0.3, box_AP__all=0.4))) == [
        "mask_AP.unseen",
        "box_AP.all",
    ]


def test_scores_of_all_classes_are_shown_where_none_is_unseen():
    table = only_table(row("a", split="fully_supervised", mask_AP__all=0.3, mask_AP__seen=0.3, gt_box_miou__all=0.5))
    assert columns(table) == ["mask_AP.all", "gt_box_miou.all"]


def test_the_trivial_rows_are_those_of_the_data():
    table = only_table(row("a", gt_box_miou__unseen=0.6, full_box__unseen=0.47, ellipse__unseen=0.51))
    assert dict(table.trivial) == {
        "full box": {"gt_box_miou.unseen": 0.47},
        "inscribed ellipse": {"gt_box_miou.unseen": 0.51},
    }


def test_two_rows_of_one_name_are_refused_also_where_case_does_not_count():
    with pytest.raises(UserError, match="two rows of voc2nonvoc@1 are called 'a'"):
        arrange([row("a"), row("A")])


def test_splits_are_described_and_those_with_most_rows_are_first():
    boards = arrange([row("a", split="nonvoc2voc"), row("b"), row("c"), row("d", split="my/split")])
    assert [board.key.name for board in boards] == ["voc2nonvoc", "my/split", "nonvoc2voc"]
    assert boards[0].description.startswith("The 20 VOC classes")
    assert boards[1].description == "A split that does not come with the package."
    assert boards[1].page == "splits/my~split@1.html"


def test_an_older_version_of_a_split_says_so():
    key = SplitKey("voc2nonvoc", 7)
    (board,) = arrange([Row(name="a", title="a", tier="reported", split=key, data="coco", numbers={})])
    assert isinstance(board, SplitBoard)
    assert board.description.startswith("An older version of: ")


def test_both_axes_have_one_scale_and_the_diagonal_is_where_seen_equals_unseen():
    rows = [row("same", mask_AP__seen=0.3, mask_AP__unseen=0.3), row("low", mask_AP__seen=0.4, mask_AP__unseen=0.2)]
    (scatter,) = scatters(rows)
    dots = {dot.row.name: (dot.x, dot.y) for dot in scatter.dots}
    assert dots["same"][0] == pytest.approx(SIDE - dots["same"][1])
    assert dots["low"][0] > dots["same"][0]
    assert dots["low"][1] > dots["same"][1]
    # Between two ticks a dot lies where its value lies between theirs.
    first, last = scatter.ticks[0], scatter.ticks[-1]
    place = SIDE * (0.4 - first.value) / (last.value - first.value)
    assert dots["low"][0] == pytest.approx(place)
    assert (first.place, last.place) == (pytest.approx(0), pytest.approx(SIDE))


@pytest.mark.parametrize("values", [(0.0, 1.0), (0.9, 1.0), (0.301, 0.302), (0.0, 0.0)])
def test_every_dot_is_inside_and_there_are_a_few_ticks(values: tuple[float, float]):
    rows = [row(f"r{index}", gt_box_miou__seen=value, gt_box_miou__unseen=value) for index, value in enumerate(values)]
    (scatter,) = scatters(rows)
    assert all(0 <= dot.x <= SIDE and 0 <= dot.y <= SIDE for dot in scatter.dots)
    assert 2 <= len(scatter.ticks) <= 10


def test_one_dot_is_no_scatter():
    assert scatters([row("a", mask_AP__seen=0.3, mask_AP__unseen=0.3), row("b", mask_AP__seen=0.3)]) == []
