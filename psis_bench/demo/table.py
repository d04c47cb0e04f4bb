"""The table of boxes: what each holds, and how large and how alike the masks are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html

from psis_bench.demo.boxes import Box
from psis_bench.demo.figures import css_colour
from psis_bench.demo.masks import ious
from psis_bench.demo.models import DemoModels
from psis_bench.user_boxes.overlay import Mask


def table_of(boxes: Sequence[Box], found: Sequence[Sequence[Mask]], models: DemoModels, shown: Sequence[str]) -> Any:
    """Return the table.

    Args:
        boxes: The boxes.
        found: The masks of each model that is shown.
        models: All models.
        shown: Keys of those that are shown.
    """
    if not boxes:
        return html.P("No boxes yet.", className="none")
    alike = ious(*found) if len(found) == 2 else None
    heads = ["Box", "Object", "x, y, width, height", *[f"Mask, {models.title(key)}" for key in shown]]
    heads += ["IoU of the two"] if alike is not None else []
    rows = []
    for index, box in enumerate(boxes):
        area = box["xywh"][2] * box["xywh"][3]
        shares = [f"{min(1.0, float(masks[index].sum()) / area):.0%} of the box" for masks in found]
        cells = [*shares, *([_percent(alike[index])] if alike is not None else [])]
        rows.append(
            html.Tr(
                [
                    html.Th([_chip(index), str(index + 1)], scope="row"),
                    html.Td(_object(box, models, shown)),
                    html.Td(", ".join(f"{number:.0f}" for number in box["xywh"]), className="number"),
                    *[html.Td(cell, className="number") for cell in cells],
                    html.Td(_remove(index)),
                ]
            )
        )
    head = html.Tr([*[html.Th(text, scope="col") for text in heads], html.Td()])
    return html.Table([html.Thead(head), html.Tbody(rows)])


def _object(box: Box, models: DemoModels, shown: Sequence[str]) -> Any:
    """Name an example's object, and say whether the models have seen masks of its class."""
    label = box["label"]
    if not label:
        return "drawn by you"
    groups = {models.seen(key) for key in shown}
    seen = next(iter(groups)) if len(groups) == 1 else None
    if seen is None:
        return label
    word = "seen" if label in seen else "unseen"
    return [label, " ", html.Span(word, className=f"group {word}")]


def _chip(index: int) -> Any:
    return html.Span(className="chip", style={"backgroundColor": css_colour(index)})


def _percent(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:.0%}"


def _remove(index: int) -> Any:
    return html.Button(
        "Remove", id={"type": "remove", "index": index}, className="small", **{"aria-label": f"Remove box {index + 1}"}
    )
