"""The site as files: its pages, its links, hostile texts, and what happens to files that are in the way."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from made_submissions import make_submission

from psis_bench.cli import main
from psis_bench.errors import UserError
from psis_bench.leaderboard.board import arrange
from psis_bench.leaderboard.markdown import BEGIN, END
from psis_bench.leaderboard.rows import ClassScore, Doubt, Estimate, Link, Row, SeedScores, SplitKey
from psis_bench.leaderboard.site import LISTING, build_site, read_zoo

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&lt;{{ 7*7 }}{% raw %}\u202e"
OUR_TAGS = {"script": {"src"}, "a": {"href", "rel", "class", "title", "aria-current"}}


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def hostile_row() -> Row:
    return Row(
        name="hostile",
        title=HOSTILE,
        tier="reported",
        split=SplitKey("voc2nonvoc", 1),
        data=HOSTILE,
        annotations="a" * 64,
        numbers={"mask_AP.unseen": Estimate(0.3), "mask_AP.seen": Estimate(0.4), "ellipse.unseen": Estimate(0.5)},
        backbone=HOSTILE,
        mask_head=HOSTILE,
        source=HOSTILE,
        facts=((HOSTILE, HOSTILE),),
        links=(Link(HOSTILE, "javascript:alert(3)"), Link("fine", f'https://example.org/"onclick="{HOSTILE}')),
        doubts=(Doubt("mask_AP.unseen", HOSTILE), Doubt(HOSTILE, HOSTILE)),
        notes=(HOSTILE,),
        commands=((HOSTILE, HOSTILE),),
        how=(HOSTILE,),
        classes=(ClassScore(HOSTILE, "seen", 3, 0.5, 0.6, None),),
        per_seed=(SeedScores(0, "reported", {"mask_AP.unseen": 0.3}), SeedScores(1, "reported", {})),
    )


def pages_of(site: Path) -> dict[str, Elements]:
    return {path.relative_to(site).as_posix(): Elements(path.read_text("utf-8")) for path in site.rglob("*.html")}


def test_there_is_a_page_for_each_split_and_row(site: Path, zoo: Path):
    rows = read_zoo(zoo).rows
    pages = pages_of(site)
    assert len(rows) > 70
    assert set(pages) == {"index.html", *(row.page for row in rows), *(f"splits/{row.split.slug}.html" for row in rows)}


def test_every_link_within_the_site_leads_somewhere_and_no_other_is_loaded(site: Path):
    pages = pages_of(site)
    anchors = {site / name: {values.get("id") for _, values in page.found} for name, page in pages.items()}
    for name, page in pages.items():
        folder = (site / name).parent
        for tag, attributes in page.found:
            address = attributes.get("href") or attributes.get("src") or attributes.get("data-page")
            if address is None or address == "data:,":
                continue
            if address.startswith(("https://", "http://")):
                assert tag == "a", f"{name} loads {address}"
                continue
            path, _, anchor = address.partition("#")
            target = folder / unquote(path) if path else site / name
            assert target.is_file(), f"{name} -> {address}"
            if anchor:
                assert anchor in anchors[Path(os.path.normpath(target))], f"{name} -> {address}"
    css = (site / "assets" / "site.css").read_text("utf-8")
    assert not re.search(r"@import|url\(", css)


def test_a_row_of_a_submission_tells_what_the_issue_asks_for(site: Path, zoo: Path):
    row = next(row for row in read_zoo(zoo).rows if row.model == "hourglass20")
    table = Elements((site / "splits" / "voc2nonvoc@1.html").read_text("utf-8"))
    text = " ".join(table.text.split())
    estimate = row.numbers["mask_AP.unseen"]
    assert estimate.low is not None
    assert estimate.high is not None
    assert f"{100 * estimate.mean:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]" in text
    for part in ("1.6 M", "recomputed", "Ada Example and 1 more", "inscribed ellipse", "full box", "COCO val2017"):
        assert part in text
    assert {"https://example.org/code", "https://example.org/paper"} <= {link.get("href") for link in table.of("a")}
    page = Elements((site / row.page).read_text("utf-8"))
    assert len([bar for bar in page.of("rect") if bar.get("class") == "length"]) == 80
    assert "How to reproduce it" in page.text


def test_a_transfer_row_divides_by_full_supervision(site: Path, zoo: Path):
    rows = {row.split.name: row for row in read_zoo(zoo).rows if row.model == "big"}
    full = {score.name: score for score in rows["fully_supervised"].classes}
    source = rows["single_source/bottle"]
    page = Elements((site / source.page).read_text("utf-8"))
    assert "Transfer to every class" in page.text
    cells = [attributes["data-value"] for attributes in page.of("td") if "data-value" in attributes]
    shown = {round(float(cell), 9) for cell in cells[1::2] if cell}
    expected = set()
    for score in source.classes:
        mine, whole = score.mask_ap, full[score.name].mask_ap
        assert mine is not None
        assert whole
        expected.add(round(min(mine / whole, 1.0), 9))
    assert shown == expected


def test_a_doubt_is_marked_at_its_number_and_told_on_the_page_of_the_row(site: Path, zoo: Path):
    row = next(row for row in read_zoo(zoo).rows if row.doubts_about("box_AP.all"))
    table = Elements((site / "splits" / f"{row.split.slug}.html").read_text("utf-8"))
    marks = [link for link in table.of("a") if link.get("class") == "doubt"]
    assert any(row.page in unquote(mark["href"]) and mark["title"] == row.doubts[0].why for mark in marks)
    assert row.doubts[0].why in Elements((site / row.page).read_text("utf-8")).text


def test_hostile_texts_are_shown_as_text(tmp_path: Path):
    build_site(arrange([hostile_row(), dataclasses.replace(hostile_row(), name="second")]), tmp_path)
    for name, page in pages_of(tmp_path).items():
        assert all(set(script) == {"src"} for script in page.of("script")), name
        assert all(script["src"].endswith("assets/site.js") for script in page.of("script"))
        assert not page.of("img"), name
        for link in page.of("a"):
            assert set(link) <= OUR_TAGS["a"], name
            assert not link["href"].startswith("javascript:"), name
        assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")], name
        assert "49" not in page.text
    text = pages_of(tmp_path)["rows/voc2nonvoc@1/hostile.html"].text
    assert text.count(HOSTILE) >= 10
    assert "javascript:alert(3)" in text


def test_numbers_are_unrounded_in_the_machine_readable_file(site: Path, zoo: Path):
    listed = json.loads((site / "leaderboard.json").read_text("utf-8"))["rows"]
    expected = {row.page: row for row in read_zoo(zoo).rows}
    assert len(listed) == len(expected)
    for found in listed:
        row = expected[found["page"]]
        assert {key: value["mean"] for key, value in found["numbers"].items()} == {
            key: estimate.mean for key, estimate in row.numbers.items()
        }


def test_a_second_build_removes_pages_of_rows_that_are_gone_and_nothing_else(tmp_path: Path):
    first = Row(name="a", title="a", tier="reported", split=SplitKey("x", 1), data="coco", numbers={})
    second = Row(name="b", title="b", tier="reported", split=SplitKey("y", 1), data="coco", numbers={})
    build_site(arrange([first, second]), tmp_path / "site")
    (tmp_path / "site" / "CNAME").write_text("example.org", encoding="utf-8")
    build_site(arrange([second]), tmp_path / "site")
    left = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*")}
    assert "rows/y@1/b.html" in left
    assert "CNAME" in left
    assert not {"rows/x@1", "splits/x@1.html"} & left


def test_a_folder_of_other_files_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(UserError, match="holds files that are not of a leaderboard; choose a new or empty folder"):
        build_site([], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_list_of_files_that_leads_outside_removes_nothing_there(tmp_path: Path):
    site = tmp_path / "site"
    site.mkdir()
    outside = tmp_path / "keep.txt"
    outside.write_text("keep", encoding="utf-8")
    (site / LISTING).write_text(json.dumps({"files": ["../keep.txt", str(outside), 5]}), encoding="utf-8")
    build_site([], site)
    assert outside.read_text(encoding="utf-8") == "keep"


@pytest.fixture
def small_zoo(tmp_path: Path) -> Path:
    """A zoo of one submission, with a README that has the marks."""
    folder = tmp_path / "model_zoo"
    make_submission(folder / "submissions", model="resnet4", title="ResNet-4")
    (folder / "README.md").write_text(f"Before.\n{BEGIN}\n{END}\nAfter.\n", encoding="utf-8")
    return folder


def test_the_command_builds_the_site_and_the_tables(
    tmp_path: Path, small_zoo: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["leaderboard", "build", f"zoo={small_zoo}", f"out={tmp_path / 'out'}", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["splits"], told["pages"]) == (1, 1, 3)
    assert Path(told["index"]).is_file()
    readme = (small_zoo / "README.md").read_text("utf-8")
    assert "| ResNet-4 |" in readme
    assert readme.startswith("Before.\n")
    assert readme.endswith("After.\n")


def test_with_a_damaged_submission_nothing_is_written(
    tmp_path: Path, small_zoo: Path, capsys: pytest.CaptureFixture[str]
):
    next(small_zoo.glob("submissions/*/resnet4/0/metrics.json")).write_text("{}", encoding="utf-8")
    assert main(["leaderboard", "build", f"zoo={small_zoo}", f"out={tmp_path / 'out'}"]) == 1
    shown = capsys.readouterr().err
    assert "metrics.json" in shown
    assert "1 submission could not be read; nothing was written" in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do is given; psis-bench leaderboard build"),
        (["bild"], "unknown command 'leaderboard bild'; did you mean 'build'?"),
        (["build", "zoo=/nowhere"], "/nowhere: holds neither published/ nor submissions/; run it in a checkout"),
        (["build", "output=x"], "unknown key 'output'; did you mean 'out'"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(["leaderboard", *arguments]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
