"""Extra mask data: a submission says so, whatever its author has filled in, and its row of the leaderboard too."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from small_world import ABOUT, World

from psis_bench.leaderboard.submitted import read_submitted
from psis_bench.submissions.about import read_about, write_template
from psis_bench.submissions.bundle import bundle

WORDS = "extra mask data: SA-1B"


@pytest.mark.parametrize(
    ("filled_in", "expected"),
    [(["the cats"], ["the cats", WORDS]), ([WORDS], [WORDS]), (["extra mask data: more"], ["extra mask data: more"])],
)
def test_the_mark_cannot_be_taken_out(quick: World, filled_in: list[str], expected: list[str]) -> None:
    write_template(quick.folder / "about.yaml", ABOUT | {"mask_sources": filled_in})
    source = replace(quick.source(), known={"mask_sources": ["the cats", WORDS]})
    out = quick.folder / "marked"
    folder = bundle(source, read_about(quick.folder / "about.yaml"), out, seeds=[0])
    content = json.loads((folder / "submission.json").read_text())
    assert content["supervision"]["mask_sources"] == expected
    (row,), faults = read_submitted(out)
    assert (row.title, faults) == ("A model of two columns (extra mask data)", [])


def test_others_are_not_marked(quick: World) -> None:
    (row,), _ = read_submitted(quick.folder / "submissions")
    assert row.title == "A model of two columns"
