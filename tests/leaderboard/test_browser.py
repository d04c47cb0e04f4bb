"""The site in a real browser: sorting, filtering, keyboard, themes, sizes, and nothing asked of another host."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import browser as real
import pytest

SPLIT = "splits/voc2nonvoc@1.html"
PHONE = {"viewport": {"width": 390, "height": 844}}
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with real.started() as running:
        yield running


@pytest.fixture
def watch(browser: Any) -> Iterator[real.Watched]:
    with real.watched(browser) as watch:
        yield watch
        assert watch.complaints == []
        assert watch.foreign("file://", "http://127.0.0.1:") == []


def column(page: Any, index: int) -> list[str]:
    texts: list[str] = page.locator(f"#data-1 tbody tr:visible > :nth-child({index + 1})").all_inner_texts()
    return texts


def numbers(page: Any, heading: str) -> list[float]:
    headings = [
        text.split("\n")[0].strip(" \u2191\u2193") for text in page.locator("#data-1 thead th").all_inner_texts()
    ]
    cells = page.locator(f"#data-1 tbody tr:visible > :nth-child({headings.index(heading) + 1})")
    values = [cells.nth(place).get_attribute("data-value") for place in range(cells.count())]
    return [float(value) for value in values if value]


def pages(site: Path) -> list[str]:
    """One page of each kind."""
    rows = sorted(path.relative_to(site).as_posix() for path in (site / "rows").rglob("*.html"))
    kinds = ("hourglass20", "table08-1", "single_source~bottle@1/big")
    return ["index.html", SPLIT, *(next(row for row in rows if kind in row) for kind in kinds)]


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it_round(site: Path, watch: real.Watched):
    page = watch.open(site / SPLIT)
    heading = page.locator("#data-1 thead th", has_text="box AP")
    assert numbers(page, "mask AP unseen") == sorted(numbers(page, "mask AP unseen"), reverse=True)
    assert page.locator("#data-1 thead th[aria-sort]").all_inner_texts()[0].startswith("mask AP unseen")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert page.locator("#data-1 thead th[aria-sort]").count() == 1
    values = numbers(page, "box AP")
    assert len(values) > 10
    assert values == sorted(values, reverse=True)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert numbers(page, "box AP") == sorted(values)
    # What has no number stays at the end, whichever way round.
    assert column(page, 5)[-1] == "\u2013"


def test_names_are_sorted_as_words_by_the_keyboard_alone(site: Path, watch: real.Watched):
    page = watch.open(site / SPLIT)
    page.locator("#data-1 thead th").first.get_by_role("button").focus()
    page.keyboard.press("Enter")
    titles = page.locator("#data-1 tbody th a").all_inner_texts()
    assert titles[0].startswith("Big")
    assert titles == page.evaluate("titles => [...titles].sort((a, b) => a.localeCompare(b))", titles)


def test_words_and_tiers_filter_rows(site: Path, watch: real.Watched):
    page = watch.open(site / SPLIT)
    total = page.locator(".board tbody tr").count()
    assert page.get_by_role("status").inner_text() == f"{total} of {total} rows"
    page.get_by_label("Filter rows").fill("STUDENT  table 13")
    shown = page.locator(".board tbody tr:visible th a").all_inner_texts()
    assert len(shown) == 3
    assert all(title.endswith("student") for title in shown)
    assert page.get_by_role("status").inner_text() == f"{len(shown)} of {total} rows"
    page.get_by_label("Filter rows").fill("")
    page.get_by_label("reported").uncheck()
    tiers = page.locator(".board tbody tr:visible .tier").all_inner_texts()
    assert tiers
    assert not any("reported" in tier for tier in tiers)
    page.get_by_label("Filter rows").fill("no such model at all")
    assert page.get_by_role("status").inner_text() == f"0 of {total} rows"


def test_a_dot_leads_to_its_row(site: Path, watch: real.Watched):
    page = watch.open(site / SPLIT)
    dot = page.locator("#data-1 .scatter .dot").last
    title = dot.locator("title").text_content()
    dot.click()
    page.wait_for_url("**/rows/**")
    assert title.startswith(page.locator("h1").inner_text())


def test_one_can_go_everywhere_by_keyboard(site: Path, watch: real.Watched):
    page = watch.open(site / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#splits table a') !== null"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    page.wait_for_url("**/splits/**")
    assert page.locator("h1").inner_text().startswith("voc2nonvoc")


def test_without_scripts_every_row_is_there(site: Path, browser: Any):
    with real.watched(browser, java_script_enabled=False) as watch:
        page = watch.open(site / SPLIT)
        assert page.locator(".board tbody tr:visible").count() == page.locator(".board tbody tr").count() > 50
        assert not page.locator("form.filter").is_visible()


@pytest.mark.parametrize(
    ("context", "kinds"),
    [({}, 5), ({"color_scheme": "dark"}, 3), (PHONE, 3)],
    ids=["wide", "dark", "phone"],
)
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    site: Path, browser: Any, context: dict[str, Any], kinds: int
):
    with real.watched(browser, **context) as watch:
        for name in pages(site)[:kinds]:
            page = watch.open(site / name)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
            assert watch.faults() == [], name
        assert watch.complaints == []
        assert watch.foreign("file://") == []


def test_the_dark_theme_is_dark(site: Path, browser: Any):
    shades = []
    for scheme in SCHEMES:
        with real.watched(browser, color_scheme=scheme) as watch:
            page = watch.open(site / "index.html")
            colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            shades.append(sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")))
    assert shades[0] > 600
    assert shades[1] < 150


def test_it_works_from_a_static_host_too(site: Path, watch: real.Watched):
    handler = functools.partial(_Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = watch.open(f"http://127.0.0.1:{server.server_port}/index.html")
        page.locator("#splits table a").first.click()
        page.wait_for_url("**/splits/**")
        page.locator("#data-1 thead th", has_text="box AP").get_by_role("button").click()
        assert page.locator("#data-1 thead th[aria-sort=descending]").inner_text().startswith("box AP")
        page.locator("#data-1 tbody th a").first.click()
        page.wait_for_url("**/rows/**")
        assert page.evaluate("getComputedStyle(document.querySelector('section')).borderRadius") == "12px"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
