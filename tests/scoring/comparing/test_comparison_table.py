"""How a comparison is drawn: what has no room, and what is too long."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console
from scored_folders import MIOU, entry, folder

from psis_bench.scoring.comparing.comparison import compare
from psis_bench.scoring.comparing.comparison_table import Sheet, as_rich, sheets
from psis_bench.scoring.comparing.moved_classes import class_differences


def test_a_table_without_room_for_its_columns_is_turned(data) -> None:
    images, categories, ious = data
    entries = [entry(name, folder(name, ious, images=images, categories=categories)) for name in "AB"]
    sheet = sheets(compare(entries), [])[0]
    assert sheet.heads == ("", "GT-box mIoU\nseen", "GT-box mIoU\nunseen")
    turned = sheet.turned()
    assert turned.heads == ("", "A", "B", "full box", "ellipse")
    assert [row[0] for row in turned.rows] == ["GT-box mIoU, seen", "GT-box mIoU, unseen"]
    for place, row in enumerate(turned.rows, 1):
        assert list(row[1:]) == [line[place] for line in sheet.rows]
    wide = replace_heads(sheet, "a name so long that two have no room")
    texts = {width: drawn(wide, width) for width in (200, 80)}
    assert [line.split("│")[1].strip() for line in texts[200].splitlines() if "│" in line] == [
        *("A", "B", "full box", "ellipse")
    ]
    assert [line.split("│")[1].strip() for line in texts[80].splitlines() if "│" in line] == [
        *("a name so long that two have no room",) * 2
    ]
    assert max(map(len, texts[80].splitlines())) <= 80
    # What has no room either way is wider than the terminal, in whole lines.
    assert len({len(line) for line in drawn(wide, 20).splitlines()}) == 1


def replace_heads(sheet: Sheet, head: str) -> Sheet:
    return sheet._replace(heads=("", head, head))


def drawn(sheet: Sheet, width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(as_rich(sheet, width=width), crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_of_many_classes_that_moved_those_furthest_are_listed(data) -> None:
    images, categories, ious = data
    shared = {"images": images, "categories": categories}
    lifts = {2: 0.01, 3: -0.04, 7: 0.03, 9: 0.02, 11: -0.05}
    second = ious + np.array([lifts[category] for category in categories.tolist()])
    entries = [entry("A", folder("a", ious, **shared)), entry("B", folder("b", second, **shared))]
    comparison, rows = compare(entries), class_differences(*entries, MIOU)
    assert all(row.moved for row in rows)
    listed = sheets(comparison, [(MIOU, rows)], most=3)[-1]
    assert [row[0] for row in listed.rows] == ["cow", "dog", "elk"]
    assert listed.title == "Classes that moved: GT-box mIoU, the furthest 3 of 5 (--all lists all)"
    assert len(sheets(comparison, [(MIOU, rows)], most=None)[-1].rows) == 5
