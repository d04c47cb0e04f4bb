from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from psis_bench.figures import style
from psis_bench.report.charts import ROLES, inline_svg


@pytest.fixture
def svg() -> str:
    with style.themed():
        ax = style.new_axes()
        ax.barh([0], [1], color=style.GROUPS["unseen"].colour, hatch="//", edgecolor=style.SURFACE)
        ax.plot([0, 1], [0, 1], color=style.INK, marker="o")
        ax.set_title("fill: #0072b2 <b>&漢")
        return str(inline_svg(ax, name="one", label='a "label" <b>'))


def _parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - made by the test itself


def test_colours_with_a_role_become_variables_and_texts_stay(svg: str) -> None:
    assert "fill: #0072b2 &lt;b&gt;&amp;漢" in svg
    root = _parsed(svg)
    for element in root.iter():
        painted = element.get("style", "") + element.get("fill", "") + element.get("stroke", "")
        assert not any(colour in painted for colour in ROLES)
    assert "var(--group-unseen)" in svg
    assert "var(--ink)" in svg


def test_nothing_in_it_reaches_out_of_its_figure(svg: str) -> None:
    root = _parsed(svg)
    assert root.tag == "svg"
    assert "http" not in svg
    assert "<style" not in svg
    assert root.get("aria-label") == 'a "label" <b>'
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert ids
    assert all(str(name).startswith("one-") for name in ids)


def test_size_is_left_to_the_page(svg: str) -> None:
    root = _parsed(svg)
    assert "width" not in root.attrib
    assert "height" not in root.attrib
    assert root.get("viewBox") == f"0 0 {4.4 * 72:g} {3.1 * 72:g}"
