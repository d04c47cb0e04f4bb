"""The tables of model_zoo/README.md: what they show, and what a hostile text cannot do there."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from psis_bench.errors import UserError
from psis_bench.leaderboard.board import arrange
from psis_bench.leaderboard.markdown import BEGIN, END, escaped, to_markdown, update_readme, with_tables
from psis_bench.leaderboard.rows import Doubt, Estimate, Link, Row, SplitKey
from psis_bench.leaderboard.site import read_zoo

HOSTILE = (
    "| <script>alert(1)</script> [a](javascript:x) ![i](http://e.org/i.png) `c` **b** "
    "<!-- END leaderboard --> \\| \n# h"
)


def row(**changes: object) -> Row:
    given: dict[str, object] = {
        "name": "a",
        "title": "A model",
        "tier": "reported",
        "split": SplitKey("voc2nonvoc", 1),
        "data": "coco",
        "numbers": {"mask_AP.unseen": Estimate(0.3456, 0.32, 0.37)},
        "source": "Somewhere 2020, Table 1",
        "links": (Link("source", "https://example.org/p"),),
    }
    return Row(**(given | changes))  # type: ignore[arg-type]


def rendered(text: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


def test_the_readme_of_this_checkout_is_up_to_date(repository: Path):
    path = repository / "model_zoo" / "README.md"
    zoo = read_zoo(repository / "model_zoo")
    assert not zoo.faults
    text = path.read_text("utf-8")
    assert with_tables(text, zoo.boards, where=str(path)) == text, "run: psis-bench leaderboard build"


def test_a_row_is_shown_times_100_with_interval_doubt_and_source():
    doubted = row(doubts=(Doubt("mask_AP.unseen", "why"),))
    html = rendered(to_markdown(arrange([doubted])))
    assert "<td>A model</td>" in html
    assert "34.6 [32.0, 37.0] (?)" in html
    assert '<a href="https://example.org/p">Somewhere 2020, Table 1</a>' in html


def test_a_hostile_text_is_shown_as_it_is_and_nothing_else():
    hostile = row(title=HOSTILE, source=HOSTILE, data=HOSTILE, links=(Link("source", "https://e.org/)|<x>"),))
    html = rendered(to_markdown(arrange([hostile])))
    assert html.count("<tr>") == 2
    for tag in ("<script", "<a ", "<img", "<code", "<!--", "<h1", "javascript:x)<"):
        assert tag not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt; [a](javascript:x)") == 3


def test_a_hostile_text_cannot_close_the_marks():
    text = f"before\n{BEGIN}\nold\n{END}\nafter"
    boards = arrange([row(title=HOSTILE)])
    once = with_tables(text, boards, where="README.md")
    assert once.startswith(f"before\n{BEGIN}\n")
    assert once.endswith(f"{END}\nafter")
    assert "old" not in once
    assert with_tables(once, boards, where="README.md") == once


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}", f"{BEGIN}{END}{END}"])
def test_missing_or_doubled_marks_are_told(text: str):
    with pytest.raises(UserError, match=r"README\.md: does not have the marks of the leaderboard once each"):
        with_tables(text, [], where="README.md")


def test_without_a_readme_the_cure_is_told(tmp_path: Path):
    with pytest.raises(UserError, match="cannot read: No such file"):
        update_readme(tmp_path / "README.md", [])


@pytest.mark.parametrize("text", ["plain text", "a_b*c", "x@y.z", "https://example.org", "1. a", "a & b &amp; c"])
def test_escaping_changes_nothing_that_a_reader_sees(text: str):
    import html
    import re

    shown = re.sub("<[^>]+>", "", rendered(f"x {escaped(text)}")).strip()
    assert html.unescape(shown) == f"x {text}"
