"""What happens on the page: every action is one request that brings along all it needs."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

from dash import ALL, Dash, Input, Output, Patch, State, ctx, dcc, no_update, set_props

from psis_bench.demo import boxes as drawn
from psis_bench.demo import masks as results
from psis_bench.demo.examples import EXAMPLES, example
from psis_bench.demo.figures import MASKS, shapes, style_of, surface
from psis_bench.demo.models import DemoModels
from psis_bench.demo.page import NO_MODEL, NUMBERS, PANES
from psis_bench.demo.pictures import Picture, address_of, picture_of_state, read_upload
from psis_bench.demo.table import table_of
from psis_bench.errors import UserError

_SHOWN_AT_FIRST = 2
_ENDINGS = {"json": "json", "masks": "masks.png", "overlay": "overlay.png"}


def register(app: Dash, models: DemoModels) -> None:
    """Tell an app what to do on every action."""
    _register_editing(app)
    _register_segmenting(app, models)
    _register_showing(app, models)
    _register_downloads(app, models)


def _told(outputs: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a callback's last output the sentence of a mistake, its others unchanged in that case.

    Args:
        outputs: Number of its other outputs.
    """

    def wrapped(action: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(action)
        def answer(*given: Any) -> Any:
            try:
                return (*action(*given), "")
            except UserError as error:
                return (*(no_update for _ in range(outputs)), f"{error}.")

        return answer

    return wrapped


def _register_editing(app: Dash) -> None:
    @app.callback(
        Output("pixels", "data"),
        Output("picture", "data"),
        Output("boxes", "data"),
        Output("problem", "children"),
        Input("upload", "contents"),
        Input({"type": "example", "name": ALL}, "n_clicks"),
        *[Input(f"graph-{pane}", "relayoutData") for pane in PANES],
        Input("all-objects", "n_clicks"),
        Input("remove-last", "n_clicks"),
        Input("remove-all", "n_clicks"),
        Input({"type": "remove", "index": ALL}, "n_clicks"),
        Input("add", "n_clicks"),
        State("upload", "filename"),
        State("picture", "data"),
        State("boxes", "data"),
        *[State(f"number-{name}", "value") for name in NUMBERS],
    )
    @_told(3)
    def edit(*given: Any) -> tuple[Any, ...]:
        names = (
            "contents",
            "examples",
            "event_a",
            "event_b",
            "all",
            "last",
            "every",
            "single",
            "add",
            "name",
            "picture",
        )
        values = dict(zip((*names, "boxes", *NUMBERS), given, strict=True))
        cause = ctx.triggered_id
        if cause is None or (isinstance(cause, dict) and cause.get("type") == "example"):
            chosen = example(str(cause["name"]) if cause else next(iter(EXAMPLES)))
            boxes = chosen.boxes[:_SHOWN_AT_FIRST]
            state = {**chosen.picture.as_state(), "example": _name(cause)}
            return address_of(chosen.picture.pixels), state, boxes
        if cause == "upload":
            if values["contents"] is None:
                return (no_update,) * 3
            picture = read_upload(values["contents"], values["name"])
            # Forgotten, so that the same file can be uploaded again.
            set_props("upload", {"contents": None})
            return address_of(picture.pixels), picture.as_state(), []
        changed = _edited(cause, values)
        return no_update, no_update, no_update if changed is None else changed


def _name(cause: Any) -> str:
    return str(cause["name"]) if cause else next(iter(EXAMPLES))


def _edited(cause: Any, values: dict[str, Any]) -> list[drawn.Box] | None:
    """Return the boxes after an action on them; None when nothing changes."""
    state = values["picture"]
    picture = picture_of_state(state)
    height, width = picture.pixels.shape[:2]
    checked = functools.partial(drawn.checked_boxes, width=width, height=height)
    boxes = checked(values["boxes"] or [])
    if cause in ("graph-a", "graph-b"):
        changed = drawn.after_drawing(boxes, values[f"event_{str(cause)[-1]}"] or {})
        return None if changed is None else checked(changed)
    if cause == "all-objects":
        if not state.get("example"):
            raise UserError("your own pictures have no boxes yet", cure="draw them, or choose an example")
        return example(str(state["example"])).boxes
    if cause == "remove-last":
        return boxes[:-1]
    if cause == "remove-all":
        return []
    if cause == "add":
        cut = drawn.cut_box([values[name] for name in NUMBERS], width=width, height=height)
        if cut is None:
            raise UserError(f"the box is not on the picture, which has {width} x {height} pixels", cure="correct it")
        return checked([*boxes, {"xywh": cut, "label": None}])
    if isinstance(cause, dict) and cause.get("type") == "remove" and any(values["single"]):
        return [box for index, box in enumerate(boxes) if index != cause.get("index")]
    return None


def _register_segmenting(app: Dash, models: DemoModels) -> None:
    @app.callback(
        *[Output(f"graph-{pane}", "figure") for pane in PANES],
        *[Output(f"graph-{pane}", "style") for pane in PANES],
        Output("ready", "data"),
        Input("pixels", "data"),
        State("picture", "data"),
        prevent_initial_call=True,
    )
    def show_picture(address: str, state: Any) -> tuple[Any, ...]:
        picture = picture_of_state(state)
        return (*(surface(picture, address) for _ in PANES), *(style_of(picture) for _ in PANES), state)

    @app.callback(
        Output("masks", "data"),
        Output("problem", "children", allow_duplicate=True),
        Input("boxes", "data"),
        Input("ready", "data"),
        *[Input(f"model-{pane}", "value") for pane in PANES],
        State("pixels", "data"),
        State("picture", "data"),
        prevent_initial_call=True,
    )
    @_told(1)
    def segment(boxes: Any, _ready: Any, *given: Any) -> tuple[Any]:
        model_a, model_b, address, state = given
        picture = picture_of_state(state, address)
        height, width = picture.pixels.shape[:2]
        checked = drawn.checked_boxes(boxes or [], width=width, height=height)
        found: dict[str, Any] = {}
        for key in (model_a, model_b):
            if key != NO_MODEL and models.title(key) and key not in found:
                found[key] = models.segment(key, picture, checked).as_state()
        return ({"a": found.get(model_a), "b": found.get(model_b), "boxes": checked, "models": [model_a, model_b]},)


def _register_showing(app: Dash, models: DemoModels) -> None:
    @app.callback(
        *[Output(f"graph-{pane}", "figure", allow_duplicate=True) for pane in PANES],
        *[Output(f"title-{pane}", "children") for pane in PANES],
        Output("pane-b", "hidden"),
        Output("table", "children"),
        Output("status", "children"),
        Output("threshold-shown", "children"),
        Output("problem", "children", allow_duplicate=True),
        Input("masks", "data"),
        Input("threshold", "value"),
        State("picture", "data"),
        prevent_initial_call=True,
    )
    @_told(8)
    def show(state: Any, given: Any, picture_state: Any) -> tuple[Any, ...]:
        threshold = results.checked_threshold(given)
        if not state:
            return (*(no_update for _ in range(7)), f"{threshold:.2f}")
        picture = picture_of_state(picture_state)
        height, width = picture.pixels.shape[:2]
        boxes = drawn.checked_boxes(state["boxes"], width=width, height=height)
        figures, found = [], []
        for pane in PANES:
            figure = Patch()
            if ctx.triggered_id != "threshold":
                figure["layout"]["shapes"] = shapes(boxes)
            if state[pane]:
                masks = results.Masks.of_state(state[pane], count=len(boxes))
                figure["layout"]["images"][MASKS]["source"] = results.layer(masks, picture, threshold=threshold)
                found.append(results.whole(masks, picture, threshold=threshold))
            figures.append(figure)
        shown = [key for key in state["models"] if key != NO_MODEL]
        titles = [models.title(key) if key != NO_MODEL else "" for key in state["models"]]
        table = table_of(boxes, found, models, shown)
        return (*figures, *titles, len(shown) < len(PANES), table, _counted(boxes), f"{threshold:.2f}")


def _counted(boxes: Sequence[drawn.Box]) -> str:
    if not boxes:
        return "Drag on the picture to draw a box."
    count = "1 box" if len(boxes) == 1 else f"{len(boxes)} boxes"
    return f"{count} segmented. Draw more, or click an edge to move or change one."


def _register_downloads(app: Dash, models: DemoModels) -> None:
    @app.callback(
        Output("file", "data"),
        Output("problem", "children", allow_duplicate=True),
        Input({"type": "download", "pane": ALL, "what": ALL}, "n_clicks"),
        State("masks", "data"),
        State("threshold", "value"),
        State("pixels", "data"),
        State("picture", "data"),
        prevent_initial_call=True,
    )
    @_told(1)
    def download(clicks: Any, state: Any, given: Any, address: Any, picture_state: Any) -> tuple[Any]:
        cause = ctx.triggered_id
        if not isinstance(cause, dict) or not any(clicks):
            return (no_update,)
        if not state or not state["boxes"]:
            raise UserError("there are no masks yet", cure="draw a box first")
        picture = picture_of_state(picture_state, address)
        pane, what = str(cause.get("pane")), str(cause.get("what"))
        if pane not in PANES or what not in _ENDINGS or not state[pane]:
            raise UserError("there is no such file", cure="choose a model for that side")
        height, width = picture.pixels.shape[:2]
        boxes = drawn.checked_boxes(state["boxes"], width=width, height=height)
        masks = results.Masks.of_state(state[pane], count=len(boxes))
        key = state["models"][PANES.index(pane)]
        content = _file(what, picture, boxes, masks, threshold=results.checked_threshold(given), models=models, key=key)
        return (dcc.send_bytes(content, f"{picture.name}.{_ENDINGS[what]}"),)


def _file(
    what: str,
    picture: Picture,
    boxes: Sequence[drawn.Box],
    masks: results.Masks,
    *,
    threshold: float,
    models: DemoModels,
    key: str,
) -> bytes:
    if what == "json":
        content = results.coco_json(picture, boxes, masks, threshold=threshold, made_by=models.made_by(key))
        return json.dumps(content, indent=2).encode()
    if what == "masks":
        return results.numbered_png(picture, masks, threshold=threshold)
    return results.overlay_png(picture, boxes, masks, threshold=threshold)
