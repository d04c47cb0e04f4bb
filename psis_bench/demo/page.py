"""What is on the page."""

from __future__ import annotations

import functools
from typing import Any, Final

from dash import dcc, html

from psis_bench.demo.boxes import MOST
from psis_bench.demo.examples import EXAMPLES, example
from psis_bench.demo.figures import CONFIG
from psis_bench.demo.models import DemoModels
from psis_bench.demo.pictures import LONGEST_SIDE, MAX_BYTES, MAX_PIXELS, address_of

PANES: Final = ("a", "b")
NO_MODEL: Final = "none"
THRESHOLD: Final = 0.5
DOWNLOADS: Final = {"json": "COCO JSON", "masks": "Masks (PNG)", "overlay": "Picture with masks (PNG)"}
NUMBERS: Final = ("x", "y", "width", "height")

INDEX: Final = """<!doctype html>
<html lang="en">
<head>
{%metas%}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{%title%}</title>
<link rel="icon" href="data:,">
{%css%}
</head>
<body>
{%app_entry%}
<noscript>This page draws with scripts, all from your own machine. Without them: psis-bench predict.</noscript>
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>
"""


def layout(models: DemoModels) -> Any:
    """Return the page's components."""
    return html.Div(
        [
            html.A("Skip to the picture", href="#pictures", className="skip"),
            _header(),
            html.Main([_choices(models), _pictures(), _boxes(), _about()]),
            *[dcc.Store(id=name) for name in ("pixels", "picture", "boxes", "ready", "masks")],
            dcc.Download(id="file"),
        ]
    )


def _header() -> Any:
    return html.Header(
        [
            html.H1("Draw a box, get a mask"),
            html.P(
                "Drag on the picture. The mask heads were trained with masks of a few classes only: "
                "try them on things whose masks they have never seen."
            ),
        ]
    )


def _choices(models: DemoModels) -> Any:
    second = models.keys[1] if len(models.keys) > 1 else NO_MODEL
    options = [{"label": models.title(key), "value": key} for key in models.keys]
    examples = [
        html.Button(
            html.Img(src=_thumbnail(name), alt=f"Example picture: {name}"),
            id={"type": "example", "name": name},
            className="example",
            title=f"Example: {name}",
        )
        for name in EXAMPLES
    ]
    upload = dcc.Upload(
        [html.B("Upload a picture"), html.Span(" or drop it here")],
        id="upload",
        className="upload",
        className_active="upload over",
        accept="image/jpeg,image/png,image/webp",
    )
    return html.Section(
        [
            html.Div([html.H2("Picture", className="legend"), upload, html.Div(examples, className="examples")]),
            html.Div(
                [
                    html.H2("Models", className="legend"),
                    _chooser("model-a", "Left", options, models.keys[0]),
                    _chooser("model-b", "Right", [*options, {"label": "no second model", "value": NO_MODEL}], second),
                ]
            ),
            html.Div(
                [
                    html.H2("Threshold", className="legend"),
                    html.Label("Pixels above it are in the mask", htmlFor="threshold"),
                    html.Div(
                        [
                            dcc.Input(
                                id="threshold",
                                type="range",
                                min=0.05,
                                max=0.95,
                                step=0.01,
                                value=THRESHOLD,
                                debounce=False,
                            ),
                            html.Output(f"{THRESHOLD:.2f}", id="threshold-shown"),
                        ],
                        className="range",
                    ),
                ]
            ),
        ],
        className="choices",
        **{"aria-label": "Picture, models and threshold"},
    )


def _chooser(name: str, label: str, options: list[dict[str, str]], value: str) -> Any:
    chooser = dcc.Dropdown(options, value, id=name, clearable=False, searchable=False, className="models")
    return html.Div([html.Label(label, htmlFor=name), chooser], className="chooser")


def _pictures() -> Any:
    return html.Section(
        [
            html.Div(
                [
                    html.P(id="status", role="status"),
                    html.P(id="problem", role="alert", className="problem"),
                ],
                className="said",
            ),
            html.Div([_pane(pane) for pane in PANES], className="panes"),
        ],
        id="pictures",
        **{"aria-label": "Pictures with masks"},
    )


def _pane(pane: str) -> Any:
    downloads = [
        html.Button(text, id={"type": "download", "pane": pane, "what": what}) for what, text in DOWNLOADS.items()
    ]
    return html.Figure(
        [
            html.Figcaption(id=f"title-{pane}"),
            dcc.Graph(id=f"graph-{pane}", config=CONFIG, responsive=True, className="surface"),
            html.Div(downloads, className="downloads", role="group", **{"aria-label": "Downloads"}),
        ],
        id=f"pane-{pane}",
        className="pane",
    )


def _boxes() -> Any:
    numbers = [
        html.Label([name, dcc.Input(id=f"number-{name}", type="number", min=0, step="any", inputMode="decimal")])
        for name in NUMBERS
    ]
    return html.Section(
        [
            html.H2("Boxes"),
            html.Div(
                [
                    html.Button("Boxes of all objects of the example", id="all-objects"),
                    html.Button("Remove the last", id="remove-last"),
                    html.Button("Remove all", id="remove-all"),
                ],
                className="buttons",
            ),
            html.Div(id="table", className="table", tabIndex=0, role="region", **{"aria-label": "Table of boxes"}),
            html.Details(
                [
                    html.Summary("Give a box in numbers"),
                    html.Div([*numbers, html.Button("Add the box", id="add")], className="numbers"),
                    html.P("Pixels of the picture as it is shown here; the origin is its top left corner."),
                ]
            ),
        ],
        className="boxes",
    )


def _about() -> Any:
    return html.Footer(
        [
            html.P(
                [
                    "Click the edge of a box to take it: then move it by the edge, or change it at the corners. ",
                    f"Up to {MOST} boxes; pictures up to {MAX_BYTES // 1_000_000} MB and {MAX_PIXELS // 1_000_000} "
                    f"million pixels, worked on at {LONGEST_SIDE} pixels at most. ",
                    "Files that you download are in pixels of your picture.",
                ]
            ),
            html.P(
                "Everything stays on this machine: the page asks no other host for anything, and the server keeps "
                "nothing of your pictures. The examples are drawn by a program."
            ),
        ]
    )


@functools.cache
def _thumbnail(name: str) -> str:
    import cv2
    import numpy as np

    pixels = example(name).picture.pixels
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    small = cv2.resize(pixels[top : top + side, left : left + side], (112, 112), interpolation=cv2.INTER_AREA)
    return address_of(np.asarray(small, np.uint8))
