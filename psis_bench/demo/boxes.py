"""Boxes that are drawn on a picture, in pixels of its working copy.

The drawing component calls them shapes with two opposite corners; everything else here calls them x, y, width, height.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from psis_bench.errors import UserError

Box = dict[str, Any]
"""``{"xywh": [x, y, width, height], "label": text or None}``."""

MOST: Final = 50
SMALLEST: Final = 2.0
"""Pixels that a box must have across and down: less is a click, not a box."""

_CHANGED = re.compile(r"shapes\[(\d+)\]\.(x0|x1|y0|y1)")
_LONGEST_LABEL = 60


def checked_boxes(given: Any, *, width: int, height: int) -> list[Box]:
    """Return boxes that the browser sends, cut off at the picture's edges; those outside or too small are left out.

    Raises:
        UserError: They are no boxes, or too many.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise UserError("these are no boxes", cure="draw them again")
    if len(given) > MOST:
        raise UserError(f"there are more than {MOST} boxes", cure="remove some")
    found = []
    for box in given:
        numbers = box.get("xywh") if isinstance(box, Mapping) else None
        if not isinstance(numbers, Sequence) or isinstance(numbers, str) or len(numbers) != 4:
            raise UserError("this is no box", cure="draw it again")
        cut = cut_box(numbers, width=width, height=height)
        if cut is not None:
            label = box.get("label")
            found.append({"xywh": cut, "label": str(label)[:_LONGEST_LABEL] if label else None})
    return found


def cut_box(numbers: Sequence[Any], *, width: int, height: int) -> list[float] | None:
    """Return x, y, width, height inside the picture; None when less than `SMALLEST` is left.

    Raises:
        UserError: These are not four finite numbers.
    """
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise UserError("a box is four numbers: x, y, width, height", cure="correct it")
    x, y, w, h = (float(number) for number in numbers)
    left, top, right, bottom = max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height))
    if right - left < SMALLEST or bottom - top < SMALLEST:
        return None
    return [left, top, right - left, bottom - top]


def after_drawing(boxes: Sequence[Box], event: Mapping[str, Any]) -> list[Box] | None:
    """Return the boxes after what a person did to them on the picture; None when they are as before.

    Args:
        boxes: As they were.
        event: Plotly's ``relayoutData``: all shapes after one was drawn or removed, or the corners of one that moved.
    """
    if isinstance(event.get("shapes"), list):
        shapes = [_xywh(shape) for shape in event["shapes"] if isinstance(shape, Mapping)]
        labels = {tuple(box["xywh"]): box["label"] for box in boxes}
        kept = [{"xywh": shape, "label": labels.get(tuple(shape))} for shape in shapes if shape is not None]
        return kept if kept != list(boxes) else None
    moved: dict[int, dict[str, float]] = {}
    for key, value in event.items():
        match = _CHANGED.fullmatch(str(key))
        if match and int(match[1]) < len(boxes):
            moved.setdefault(int(match[1]), {})[match[2]] = value
    if not moved:
        return None
    changed = [dict(box) for box in boxes]
    for index, corners in moved.items():
        # A box that a person moved may hold something else by now: its label goes.
        changed[index] = {"xywh": _xywh(shape_of(boxes[index]) | corners), "label": None}
    return changed


def shape_of(box: Box) -> dict[str, float]:
    """Return the two corners of a box as a shape has them."""
    x, y, w, h = box["xywh"]
    return {"x0": x, "y0": y, "x1": x + w, "y1": y + h}


def _xywh(shape: Mapping[str, Any]) -> list[float] | None:
    try:
        x0, x1, y0, y1 = (float(shape[key]) for key in ("x0", "x1", "y0", "y1"))
    except (KeyError, TypeError, ValueError):
        return None
    return [min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)]
