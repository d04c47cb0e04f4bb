"""Turns axes into an SVG that stands inside a page and follows its light or dark theme."""

from __future__ import annotations

import io
import warnings
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from psis_bench.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROLES: Final = {
    style.INK: "ink",
    style.MUTED: "muted",
    style.GRID: "line",
    style.SURFACE: "surface",
    style.TRIVIAL: "trivial",
    **{look.colour: f"group-{name}" for name, look in style.GROUPS.items()},
}
"""Colours of the figures and the CSS variables (report.css) that take their place."""

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"


def inline_svg(ax: Axes, *, name: str, label: str) -> Markup:
    """Return the figure of ``ax`` as an ``<svg>`` element for the body of an HTML page.

    Args:
        ax: Axes of the figure, made within `psis_bench.figures.style.themed`.
        name: Prefix of all ids within the SVG: two figures on a page must not share any.
        label: What the figure shows, for readers who cannot see it.
    """
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes belong to no figure")
    stream = io.StringIO()
    with style.themed(), warnings.catch_warnings():
        # The texts stay texts: the browser has the letters that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    root = ET.fromstring(stream.getvalue())  # noqa: S314 - written by matplotlib a moment ago
    _clean(root, name)
    width, height = (float(root.attrib.pop(side).removesuffix("pt")) for side in ("width", "height"))
    root.attrib.update({"role": "img", "aria-label": label, "style": f"max-width:{width * 1.5:.0f}px"})
    root.attrib["viewBox"] = f"0 0 {width:g} {height:g}"
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - ElementTree has escaped every text


def _clean(root: ET.Element, name: str) -> None:
    """Take namespaces, metadata and page-wide styles out; make ids and colours those of this figure and this page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if _XLINK_HREF in element.attrib:
            element.attrib["href"] = element.attrib.pop(_XLINK_HREF).replace("#", f"#{name}-", 1)
        for key, value in element.attrib.items():
            if key == "id":
                element.attrib[key] = f"{name}-{value}"
            elif "url(#" in value:
                element.attrib[key] = value.replace("url(#", f"url(#{name}-")
        _give_theme(element)


def _give_theme(element: ET.Element) -> None:
    """Replace the colours that have a role by the page's variables, which only CSS may name, not an attribute."""
    parts = [part for part in element.attrib.pop("style", "").split(";") if part.strip()]
    parts += [f"{key}: {element.attrib.pop(key)}" for key in ("fill", "stroke") if key in element.attrib]
    themed = []
    for part in parts:
        key, _, value = part.partition(":")
        role = ROLES.get(value.strip().lower())
        themed.append(f"{key.strip()}: {f'var(--{role})' if role else value.strip()}")
    if themed:
        element.attrib["style"] = "; ".join(themed)
