"""Scores as people read them: hold the numbers of the typed result."""

from __future__ import annotations

import csv
import io

from rich.console import Console

from psis_bench.scoring import as_csv, as_markdown
from psis_bench.scoring.results.scores import Scores
from psis_bench.scoring.results.table import score_table


def test_the_table_shows_groups_side_by_side_times_one_hundred(scored):
    scores = scored()
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(score_table(scores.to_dict()))
    text = console.export_text()
    lines = {line.split("│")[1].strip(): line.split("│")[2:5] for line in text.splitlines() if line.startswith("│")}
    groups = [scores.groups[name] for name in ("seen", "unseen", "all")]
    shown = [f"{100 * group.mask.ap:.1f}" for group in groups]
    assert [cell.strip() for cell in lines["mask AP"]] == shown
    assert [cell.strip() for cell in lines["GT-box mIoU, class mean"]] == ["100.0"] * 3
    assert [cell.strip() for cell in lines["full box"]] == [f"{100 * g.full_box.instance_mean:.1f}" for g in groups]


def test_markdown_and_csv_hold_the_numbers_of_scores_json(scored):
    scores = scored(boundary=True)
    groups = [scores.groups[name] for name in ("seen", "unseen", "all")]
    header, rule, *lines = as_markdown(scores.to_dict()).splitlines()
    assert header.startswith("| halves v1, score x 100 | seen (")
    assert rule == "| --- | ---: | ---: | ---: |"
    cells = {row[1].strip(): [cell.strip() for cell in row[2:5]] for row in (line.split("|") for line in lines)}
    assert cells["mask AP"] == [f"{100 * group.mask.ap:.1f}" for group in groups]
    assert cells["full box, instance mean"] == [f"{100 * group.full_box.instance_mean:.1f}" for group in groups]
    assert cells["boundary IoU, class mean"] == ["100.0"] * 3
    rows = {row["score"]: row for row in csv.DictReader(as_csv(scores).splitlines())}
    assert list(rows["classes"]) == ["score", "seen", "unseen", "all"]
    for name, group in scores.to_dict()["groups"].items():
        for part in ("box", "mask", "gt_box_miou", "full_box", "ellipse", "boundary_miou"):
            for key, value in group[part].items():
                assert rows[f"{part}.{key}"][name] == ("" if value is None else repr(value))
        assert int(rows["instances"][name]) == group["instances"]
    without = Scores.from_dict({**scores.to_dict(), "notes": ["one thing"]})
    assert as_markdown(without).endswith("|\n\n* One thing.\n")
