"""The two drawing surfaces: a picture, the masks over it, and the boxes as shapes that can be drawn and moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psis_bench.demo.boxes import Box, shape_of
from psis_bench.demo.pictures import Picture
from psis_bench.user_boxes.overlay import colour_of

EMPTY = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
"""A transparent pixel: no masks yet."""

MASKS = 1
"""Index of the masks in the layout's images, before the picture at 0."""

CONFIG: dict[str, Any] = {"displayModeBar": False, "displaylogo": False, "scrollZoom": False, "doubleClick": False}


_NUMBER = {"color": "#ffffff", "size": 15, "shadow": "0 0 3px #000000, 0 0 2px #000000"}


def surface(picture: Picture, address: str) -> dict[str, Any]:
    """Return a figure with a picture and nothing drawn on it.

    Args:
        picture: Its working copy is shown.
        address: Its ``data:`` address.
    """
    height, width = picture.pixels.shape[:2]
    axis = {"visible": False, "fixedrange": True, "constrain": "domain"}
    return {
        # A figure without a trace has no axes to draw on. Two images of one place must be in different layers.
        "data": [{"type": "scatter", "x": [], "y": [], "hoverinfo": "skip"}],
        "layout": {
            "images": [_image(address, width, height), {**_image(EMPTY, width, height), "layer": "above"}],
            "shapes": [],
            "xaxis": {**axis, "range": [0, width]},
            "yaxis": {**axis, "range": [height, 0], "scaleanchor": "x"},
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "dragmode": "drawrect",
            "newshape": {"line": {"color": "#ffffff", "width": 2}, "fillcolor": "rgba(0,0,0,0)"},
            "activeshape": {"fillcolor": "rgba(0,0,0,0)", "opacity": 1},
            "hovermode": False,
            "showlegend": False,
        },
    }


def style_of(picture: Picture) -> dict[str, str]:
    """Return the style that gives a surface the proportions of its picture, no taller than the window."""
    height, width = picture.pixels.shape[:2]
    return {"aspectRatio": f"{width} / {height}", "width": f"min(100%, calc(70vh * {width / height:.4f}))"}


def shapes(boxes: Sequence[Box]) -> list[dict[str, Any]]:
    """Return boxes as shapes: frames in the colours of their masks, with their numbers, to be taken at their edges."""
    return [_shape(box, index) for index, box in enumerate(boxes)]


def css_colour(index: int) -> str:
    """Return the colour of the ``index``-th box."""
    blue, green, red = colour_of(index)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _shape(box: Box, index: int) -> dict[str, Any]:
    colour = css_colour(index)
    return {
        "type": "rect",
        "xref": "x",
        "yref": "y",
        **shape_of(box),
        "line": {"color": colour, "width": 3},
        # A transparent inside lets one draw a box within a box; edges stay to be taken.
        "fillcolor": "rgba(0,0,0,0)",
        "editable": True,
        "layer": "above",
        "label": {"text": f"<b>{index + 1}</b>", "textposition": "top left", "font": _NUMBER},
    }


def _image(source: str, width: int, height: int) -> dict[str, Any]:
    return {
        "source": source,
        "xref": "x",
        "yref": "y",
        "x": 0,
        "y": 0,
        "sizex": width,
        "sizey": height,
        "sizing": "stretch",
        "layer": "below",
    }
