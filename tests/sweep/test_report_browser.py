"""The page of a sweep in a real browser: hover, keyboard, order, sorting, themes, sizes, and no other host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser as real
import pytest
from made_sweep import SPLITS, make_sweep

from psis_bench.cli import main

PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser") / "sweep"
    make_sweep(folder, SPLITS, "seed=0,1")
    assert main(["report", str(folder)]) == 0
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with real.started() as running:
        yield running


@pytest.fixture
def watch(browser: Any) -> Iterator[real.Watched]:
    with real.watched(browser) as watch:
        yield watch
        assert watch.complaints == []
        assert watch.foreign("file://") == []


def names(page: Any) -> tuple[list[str], list[str]]:
    return (
        page.locator(".heat tbody th").all_inner_texts(),
        [text.strip() for text in page.locator(".heat thead th").all_inner_texts()],
    )


def cell(page: Any, source: str, target: str) -> Any:
    rows, columns = names(page)
    return page.locator(".heat tbody tr").nth(rows.index(source)).locator("td").nth(columns.index(target))


def test_hovering_tells_the_numbers_behind_a_cell(report: Path, watch: real.Watched) -> None:
    page = watch.open(report)
    tip = page.locator("#tip")
    assert not tip.is_visible()
    cell(page, "cat", "zebra").hover()
    told = tip.inner_text().splitlines()
    assert told[0] == "cat → zebra"
    mean = float(re.fullmatch(r"GT-box mIoU ([\d.]+)", told[1])[1])
    assert round(mean) == pytest.approx(float(cell(page, "cat", "zebra").inner_text()), abs=1)
    low, high = map(float, re.fullmatch(r"95 % interval (-?[\d.]+) to ([\d.]+), 2 of 2 seeds", told[2]).groups())
    assert low < mean < high
    assert "the mean of 2 runs with all masks" in told[3]
    assert told[4] == "3 instances scored"
    cell(page, "dog", "zebra").hover()
    assert "1 of 2 seeds, so no interval" in tip.inner_text()
    page.locator("h1").hover()
    assert not tip.is_visible()


def test_the_keyboard_reaches_every_cell(report: Path, watch: real.Watched) -> None:
    page = watch.open(report)
    page.locator(".matrix .scroll").focus()
    page.keyboard.press("Tab")
    rows, columns = names(page)

    def title() -> str:
        return str(page.locator("#tip b").inner_text())

    assert title() == f"{rows[0]} → {columns[0]}"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert title() == f"{rows[1]} → {columns[1]}"
    focused = page.locator(".heat td:focus")
    assert focused.get_attribute("aria-describedby") == "tip"
    assert focused.evaluate("cell => getComputedStyle(cell).outlineStyle") != "none"
    page.keyboard.press("Control+End")
    assert title() == f"{rows[-1]} → {columns[-1]}"
    inside = "cell => { const box = cell.getBoundingClientRect(); return box.left >= 0 && box.right <= innerWidth }"
    assert page.locator(".heat td:focus").evaluate(inside), "the cell is scrolled into view"
    page.keyboard.press("Escape")
    assert not page.locator("#tip").is_visible()
    page.keyboard.press("Tab")
    assert page.locator(".heat td:focus").count() == 0, "one Tab leaves the matrix"


def test_the_order_and_what_is_shown_can_be_chosen(report: Path, watch: real.Watched) -> None:
    page = watch.open(report)
    before = page.locator(".heat tbody").inner_html()
    zebra = cell(page, "cat", "zebra").inner_text()
    page.get_by_label("by name").check()
    rows, columns = names(page)
    assert rows == sorted(rows)
    assert columns == sorted(columns)
    assert len(columns) == 60
    assert cell(page, "cat", "zebra").inner_text() == zebra
    page.get_by_label("% of the score with all masks").check()
    cell(page, "cat", "zebra").hover()
    share = float(re.search(r"([\d.]+) % of", page.locator("#tip").inner_text())[1])
    assert float(cell(page, "cat", "zebra").inner_text()) == pytest.approx(share, abs=0.51)
    assert page.locator(".heat-scale .high").inner_text() == "100 % or more"
    page.get_by_label("mask AP", exact=True).check()
    page.get_by_label("score", exact=True).check()
    assert float(cell(page, "cat", "zebra").inner_text()) == pytest.approx(2 * float(zebra), abs=1.5)
    page.get_by_label("by mean").check()
    means = [sum(map(float, row.split("\t")[1:])) for row in page.locator(".heat tbody tr").all_inner_texts()]
    assert means == sorted(means, reverse=True)
    page.get_by_label("GT-box mIoU", exact=True).check()
    page.get_by_label("alike together").check()
    plain = re.compile(r' (?:tabindex="0"|class="")')
    after = page.locator(".heat tbody").inner_html()
    assert re.findall(r"<t[dh].*?</t[dh]>", plain.sub("", after)) == re.findall(
        r"<t[dh].*?</t[dh]>", plain.sub("", before)
    ), "the script paints as the page was written"


def test_jobs_are_sorted_by_a_click(report: Path, watch: real.Watched) -> None:
    page = watch.open(report)
    heading = page.locator(".jobs thead th", has_text="GT-box mIoU unseen")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    column = heading.evaluate("heading => heading.cellIndex")
    texts = page.locator(f".jobs tbody tr > :nth-child({column + 1})").all_inner_texts()
    assert texts == ["60.0"] * 3 + ["50.0"] * 4 + ["\u2013"], "what has no number stays at the end"


def test_without_scripts_all_numbers_are_there(report: Path, browser: Any) -> None:
    with real.watched(browser, java_script_enabled=False) as watch:
        page = watch.open(report)
        texts = page.locator(".heat tbody td").all_inner_texts()
        assert len(texts) == 180
        assert all(text.isdecimal() for text in texts)
        assert not page.locator(".choices").is_visible()


@pytest.mark.parametrize("context", [{"color_scheme": "dark"}, PHONE], ids=["wide and dark", "phone"])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(report: Path, browser: Any, context: dict[str, Any]) -> None:
    with real.watched(browser, **context) as watch:
        page = watch.open(report)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        cell(page, "cat", "zebra").click()
        assert page.locator("#tip").is_visible()
        assert watch.faults() == []
        assert watch.complaints == []
        assert watch.foreign("file://") == []
