"""The page in a real browser: a box is drawn and a mask comes, and nothing is asked of another host."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser as real
import numpy as np
import pytest
from PIL import Image

from psis_bench.demo.examples import example
from psis_bench.rle import area_of

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with real.started() as running:
        yield running


@pytest.fixture(scope="module")
def shared(browser: Any, address: str) -> Iterator[real.Watched]:
    """One page for most tests: its scripts are large."""
    with real.watched(browser, viewport={"width": 1280, "height": 900}) as watch:
        opened(watch, address)
        yield watch


@pytest.fixture
def watch(shared: real.Watched, address: str) -> Iterator[real.Watched]:
    """The shared page with the first example and two of its boxes, as it was opened."""
    page = shared.page
    page.get_by_role("button", name="Remove all").click()
    said(page, "Drag on the picture")
    page.get_by_label("Pixels above it are in the mask").fill("0.5")
    page.get_by_role("button", name="Example picture: elephant").click()
    said(page, "2 boxes segmented")
    page.locator("#graph-a .layer-above .imagelayer image[*|href^='data:image/png']").wait_for()
    yield shared
    assert shared.complaints == []
    assert shared.foreign(address) == []


def opened(watch: real.Watched, address: str) -> Any:
    page = watch.open(address)
    said(page, "2 boxes segmented")
    return page


def said(page: Any, text: str) -> None:
    """Wait until the page says how many boxes are segmented."""
    page.locator("#status", has_text=text).wait_for()


def drag(page: Any, start: tuple[float, float], stop: tuple[float, float], pane: str = "a") -> None:
    """Drag over a picture, in shares of its width and height."""
    place = page.locator(f"#graph-{pane} .nsewdrag").first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, stop)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*np.mean(points, axis=0), steps=3)
    page.mouse.move(*points[1], steps=3)
    page.mouse.up()


def rows(page: Any) -> list[list[str]]:
    found = page.locator("#table tbody tr")
    return [found.nth(index).locator("th, td").all_inner_texts() for index in range(found.count())]


def drawn_layer(page: Any, pane: str) -> np.ndarray:
    """How much of each pixel of the masks that are shown is covered, (H, W)."""
    import base64

    image = page.locator(f"#graph-{pane} .layer-above .imagelayer image")
    content = base64.b64decode(image.get_attribute("href").partition(",")[2])
    with Image.open(io.BytesIO(content)) as stored:
        return np.asarray(stored.convert("RGBA"))[..., 3]


def saved(page: Any, pane: str, button: str) -> tuple[str, bytes]:
    with page.expect_download() as waited:
        page.locator(f"#pane-{pane}").get_by_role("button", name=button, exact=True).click()
    return waited.value.suggested_filename, Path(waited.value.path()).read_bytes()


def test_a_drawn_box_gets_a_mask_of_each_model(watch: real.Watched):
    page = watch.page
    before = drawn_layer(page, "a")
    drag(page, (0.1, 0.1), (0.3, 0.5))
    said(page, "3 boxes segmented")
    number, what, where, first, second, alike, _ = rows(page)[2]
    assert (number.strip(), what) == ("3", "drawn by you")
    width, height = before.shape[1], before.shape[0]
    expected = [0.1 * width, 0.1 * height, 0.2 * width, 0.4 * height]
    assert [float(part) for part in where.split(",")] == pytest.approx(expected, abs=3)
    assert first.endswith("of the box")
    assert second.endswith("of the box")
    assert alike.endswith("%")
    new = (drawn_layer(page, "a") > 0) & (before == 0)
    ys, xs = np.nonzero(new)
    assert len(xs) > 100
    assert xs.min() >= expected[0] - 3
    assert ys.max() <= expected[1] + expected[3] + 3
    assert (drawn_layer(page, "a") != drawn_layer(page, "b")).any()
    # One draws on either picture.
    drag(page, (0.6, 0.6), (0.9, 0.9), pane="b")
    said(page, "4 boxes segmented")


def test_a_lower_threshold_makes_larger_masks(watch: real.Watched):
    page = watch.page
    before = drawn_layer(page, "a") > 0
    shares = [row[3] for row in rows(page)]
    page.get_by_label("Pixels above it are in the mask").fill("0.2")
    page.locator("#threshold-shown", has_text="0.20").wait_for()
    page.wait_for_timeout(200)
    after = drawn_layer(page, "a") > 0
    assert after.sum() > before.sum()
    assert [row[3] for row in rows(page)] != shares


def test_downloads_hold_what_is_shown(watch: real.Watched):
    page = watch.page
    name, content = saved(page, "a", "COCO JSON")
    assert name == "example_elephant.json"
    found = json.loads(content)
    boxes = example("elephant").boxes[:2]
    assert [annotation["bbox"] for annotation in found["annotations"]] == [box["xywh"] for box in boxes]
    assert found["info"]["mask_head"] == "hourglass20"
    name, content = saved(page, "a", "Masks (PNG)")
    with Image.open(io.BytesIO(content)) as stored:
        values = np.asarray(stored)
    assert values.shape == (found["images"][0]["height"], found["images"][0]["width"])
    areas = [area_of(annotation["segmentation"]) for annotation in found["annotations"]]
    # The second box lies in front of the first.
    assert (values == 2).sum() == areas[1]
    assert 0 < (values == 1).sum() <= areas[0]
    name, content = saved(page, "b", "Picture with masks (PNG)")
    assert name == "example_elephant.overlay.png"
    assert Image.open(io.BytesIO(content)).size == values.shape[::-1]
    assert json.loads(saved(page, "b", "COCO JSON")[1])["info"]["mask_head"] == "resnet4"


def test_an_upload_is_shown_and_segmented_and_a_hostile_one_told_of(watch: real.Watched, tmp_path: Path):
    page = watch.page
    (tmp_path / "evil<b>.svg.png").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    page.locator("#upload input[type=file]").set_input_files(tmp_path / "evil<b>.svg.png")
    page.get_by_role("alert").get_by_text("the file is no picture").wait_for()
    assert len(rows(page)) == 2
    pixels = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mine.jpg")
    page.locator("#upload input[type=file]").set_input_files(tmp_path / "mine.jpg")
    said(page, "Drag on the picture to draw a box.")
    assert page.get_by_role("alert").inner_text() == ""
    drag(page, (0.2, 0.2), (0.8, 0.7))
    said(page, "1 box segmented")
    assert json.loads(saved(page, "a", "COCO JSON")[1])["images"][0]["width"] == 200
    page.get_by_role("button", name="Example picture: bear").click()
    said(page, "2 boxes segmented")
    # The dialog of a person forgets the last file before it opens; then the same one may come again.
    page.locator("#upload input[type=file]").set_input_files([])
    page.locator("#upload input[type=file]").set_input_files(tmp_path / "mine.jpg")
    said(page, "Drag on the picture to draw a box.")


def test_everything_can_be_done_by_keyboard(browser: Any, address: str):
    with real.watched(browser) as watch:
        by_keyboard(opened(watch, address))


def by_keyboard(page: Any) -> None:
    page.get_by_text("Give a box in numbers").focus()
    page.keyboard.press("Enter")
    for value in ("40", "60", "100", "80"):
        page.keyboard.press("Tab")
        page.keyboard.type(value)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    said(page, "3 boxes segmented")
    assert rows(page)[2][2] == "40, 60, 100, 80"
    page.get_by_role("button", name="Remove box 1").focus()
    page.keyboard.press("Enter")
    said(page, "2 boxes segmented")
    page.locator("#model-b").focus()
    for key, focused in (("Enter", "input[type=radio]:focus"), ("End", "input[value=none]:focus"), ("Space", "body")):
        page.keyboard.press(key)
        page.locator(focused).wait_for(state="attached")
    page.locator("#pane-b").wait_for(state="hidden")
    assert len(rows(page)[0]) == 5


def test_a_box_is_moved_by_its_edge(watch: real.Watched):
    page = watch.page
    x, y, w, h = example("elephant").boxes[1]["xywh"]
    height, width = example("elephant").picture.pixels.shape[:2]
    top = ((x + w / 2) / width, y / height)
    place = page.locator("#graph-a .nsewdrag").first
    box = place.bounding_box()
    page.mouse.click(box["x"] + top[0] * box["width"], box["y"] + top[1] * box["height"])
    drag(page, top, (top[0] - 0.1, top[1] + 0.05))
    page.locator("#table", has_text="drawn by you").wait_for()
    where = [float(part) for part in rows(page)[1][2].split(",")]
    assert where == pytest.approx([x - 0.1 * width, y + 0.05 * height, w, h], abs=3)


@pytest.mark.parametrize("context", [{}, {**PHONE, "color_scheme": "dark"}], ids=["wide", "phone_dark"])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(browser: Any, address: str, context: dict[str, Any]):
    with real.watched(browser, **context) as watch:
        page = opened(watch, address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert watch.faults() == []
        assert watch.complaints == []
        assert watch.foreign(address) == []


def test_another_sites_page_cannot_use_it(browser: Any, address: str, tmp_path: Path):
    (tmp_path / "index.html").write_text("<title>elsewhere</title>", encoding="utf-8")
    with real.watched(browser) as watch:
        page = watch.open(tmp_path / "index.html")
        sent = """async address => {
            const ask = mode => fetch(address + '_dash-update-component',
                {method: 'POST', mode, body: '{}', headers: {'Content-Type': 'text/plain'}})
                .then(answer => answer.type + answer.status, () => 'refused');
            return [await ask('cors'), await ask('no-cors')];
        }"""
        assert page.evaluate(sent, address) == ["refused", "refused"]
        page.set_content(f"<iframe src='{address}'></iframe>")
        page.wait_for_timeout(300)
        assert not any(frame.get_by_text("Draw a box").count() for frame in page.frames[1:])
