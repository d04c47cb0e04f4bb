"""``psis-bench plot``: figures and tables of the paper, from runs. Imports no torch, but for boxes of your own."""

from __future__ import annotations

import argparse
import glob
import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from psis_bench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from psis_bench.plots.request import Made, Plot, Request


_OF_RUNS = ("model", "mask_head", "crop_source", "data", "schedule", "iterations", "probe")


def execute(options: argparse.Namespace) -> int:
    """Make the plot that is named, or list the plots."""
    from psis_bench.plots.registry import PLOTS

    if not options.arguments:
        _list(PLOTS, as_json=options.json)
        return 0
    request = read_request(options.arguments)
    make = cast("Callable[[Request], Made]", importlib.import_module(PLOTS[request.name].module).make)
    made = make(request)
    if options.json:
        files = [str(path) for path in made.files]
        sys.stdout.write(json.dumps({"plot": request.name, "files": files, "notes": list(made.lines)}, indent=2) + "\n")
        return 0
    from psis_bench import console

    for line in made.lines:
        console.out.print(line, soft_wrap=True, markup=False)
    for path in made.files:
        console.out.print(f"wrote {path}", soft_wrap=True, markup=False)
    return 0


def read_request(arguments: Sequence[str]) -> Request:
    """Read the words and keys of the command.

    Raises:
        UserError: An unknown plot, a folder that is not there, or a key that the plot does not have.
    """
    from psis_bench.plots.registry import PLOTS
    from psis_bench.plots.request import FORMATS, Request

    name, *rest = arguments
    if name not in PLOTS:
        cure = did_you_mean(name, PLOTS) if "=" not in name else "name the plot first, as in psis-bench plot figure5b"
        raise UserError(f"unknown plot {name!r}", cure=cure)
    paths: list[Path] = []
    values: dict[str, str] = {}
    for word in rest:
        key, equals, text = word.partition("=")
        if not equals or "/" in key:
            paths += _found(word)
        elif not text:
            raise UserError(f"{key} has no value", cure=f"write {key}=...")
        else:
            values[key] = text
    _check_keys(name, PLOTS[name], values)
    out = Path(values.pop("out", f"runs/plots/{name}")).expanduser()
    formats = values.pop("format", "pdf,png").split(",")
    for suffix in formats:
        if suffix not in FORMATS:
            raise UserError(f"unknown format {suffix!r}", cure=did_you_mean(suffix, FORMATS))
    return Request(name=name, paths=paths, values=values, out=out, formats=formats)


def _found(word: str) -> list[Path]:
    path = Path(word).expanduser()
    if path.exists():
        return [path]
    found = [Path(name) for name in sorted(glob.glob(str(path)))]  # noqa: PTH207 - a typed path
    if not found:
        raise UserError("no such file or folder", where=word, cure="give the folders of runs or of a sweep")
    return found


def _check_keys(name: str, plot: Plot, values: Mapping[str, str]) -> None:
    """Refuse keys that are neither the plot's nor, where it chooses among runs, those of a run."""
    known = [*plot.keys, *(_OF_RUNS if "reference" in plot.keys else ()), "out", "format"]
    for key in values:
        if key not in known and not key.startswith(("mm.", "+mm.", "probe.")):
            raise UserError(f"{name} has no key {key!r}", cure=did_you_mean(key, known))


def _list(plots: Mapping[str, Plot], *, as_json: bool) -> None:
    if as_json:
        rows = [{"name": name, "summary": plot.summary, "keys": dict(plot.keys)} for name, plot in plots.items()]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    from psis_bench import console

    for name, plot in plots.items():
        console.out.print(f"{name:<10}{plot.summary}", soft_wrap=True, markup=False)
        for key, meaning in plot.keys.items():
            console.out.print(f"            {key + '=':<11}{meaning}", soft_wrap=True, markup=False, style="dim")
