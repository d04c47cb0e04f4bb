"""``psis-bench demo``: a local page on which one draws boxes and gets masks."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from psis_bench.commands.arguments import value_of
from psis_bench.errors import UserError

if TYPE_CHECKING:
    from psis_bench.user_boxes.chosen_model import ChosenModel

_KEYS = ("run", "checkpoint", "port", "device", "threads")
_PORT = 8050
_SHIPPED = ("synthetic_hourglass20", "synthetic_resnet4")


def execute(options: argparse.Namespace) -> int:
    """Serve the page until it is interrupted."""
    chosen, port = _read(options.arguments)
    if importlib.util.find_spec("dash") is None:
        raise UserError("the demo's packages are not installed", cure="pip install '.[train,demo]' in the checkout")
    from psis_bench.pipeline import require_torch
    from psis_bench.run import Stage

    require_torch(Stage.PREDICT)
    from psis_bench import console
    from psis_bench.demo.models import DemoModels
    from psis_bench.demo.server import HOST, start

    models = DemoModels(chosen)
    # Other packages print; what is told here is the address alone.
    with contextlib.redirect_stdout(sys.stderr):
        # A model that does not fit is told of now, not at the first box.
        models.load(models.keys[0])
    server = start(models, port=port)
    console.out.print(f"http://{HOST}:{server.port}/", markup=False)
    names = ", ".join(models.title(key) for key in models.keys)
    console.err.print(f"open it in a browser on this machine; models: {names}. Ctrl-C ends it", markup=False)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    server.server_close()
    return 0


def _read(arguments: Sequence[str]) -> tuple[list[ChosenModel], int]:
    """Return the models in the order in which they were given, and the port."""
    from psis_bench.user_boxes.chosen_model import model_of_checkpoint, model_of_run

    wanted: list[tuple[str, str]] = []
    settings: list[str] = []
    port = _PORT
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals:
            raise UserError(f"{argument!r} is not key=value", cure=f"write run={argument}, or checkpoint={argument}")
        text = value_of(key, text, _KEYS)
        if key == "port":
            port = _port(text)
        elif key in ("run", "checkpoint"):
            wanted.append((key, text))
        else:
            settings.append(argument)
    return [
        model_of_run(Path(text).expanduser(), settings) if key == "run" else model_of_checkpoint(text, settings)
        for key, text in wanted or [("checkpoint", name) for name in _SHIPPED]
    ], port


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise UserError(f"port={text} is no port", cure="give a number from 0 (any free one) to 65535")
    return int(text)
