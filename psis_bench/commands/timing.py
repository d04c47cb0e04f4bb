"""``psis-bench time``: how long a model takes for an image, stage by stage."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.commands.arguments import value_of
from psis_bench.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from psis_bench.config import RunConfig
    from psis_bench.engine.timing import Work

_MODEL_KEYS = ("model", "mask_head", "device", "threads")
_OWN = ("batch", "images", "warm_up", "boxes", "size", "run", "out")
_NAMES = {
    "load": "load",
    "backbone": "backbone",
    "detection": "detection",
    "mask_head": "mask head",
    "encode": "paste and encode",
}


def execute(options: argparse.Namespace) -> int:
    """Time the model that the arguments name."""
    values, chosen = _read(options.arguments)
    config, weights = _config(values.get("run"), chosen)
    out = Path(values["out"]).expanduser() if "out" in values else None
    if out is not None and out.is_dir():
        raise UserError("is a folder", where=str(out), cure="give out= the name of a JSON file")
    from psis_bench.pipeline import require_torch
    from psis_bench.run import Stage

    require_torch(Stage.PREDICT)
    # Other packages print; standard output is for the result alone.
    with contextlib.redirect_stdout(sys.stderr):
        result = _measure(config, weights, values)
    if out is not None:
        from psis_bench.files import write_json

        write_json(out, result)
    if options.json:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return 0
    from psis_bench import console

    console.out.print(timing_table(result))
    for line in facts(result):
        console.out.print(line, soft_wrap=True, markup=False)
    if out is not None:
        console.out.print(f"written to {out}", soft_wrap=True, markup=False)
    return 0


def _read(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the command's own keys and the arguments that choose model and device."""
    values: dict[str, str] = {}
    chosen: list[str] = []
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals:
            raise UserError(f"{argument!r} is not key=value", cure=f"write model={argument}, or run={argument}")
        if key.startswith(("mm.", "+mm.")) or key in _MODEL_KEYS:
            chosen.append(argument)
        else:
            values[key] = value_of(key, text, (*_MODEL_KEYS, *_OWN))
    return values, chosen


def _config(run: str | None, chosen: list[str]) -> tuple[RunConfig, Path | None]:
    """Return the configuration of the model, and the weights of a run."""
    from psis_bench.config import load_config, resolve_config
    from psis_bench.run import RESULTS, Stage

    if run is None:
        return resolve_config(["split=fully_supervised", *chosen]), None
    folder = Path(run).expanduser()
    weights = folder / RESULTS[Stage.TRAIN]
    config = resolve_config(chosen, base=load_config(folder / "config.yaml"))
    if not weights.is_file():
        raise UserError("the run has no trained weights yet", where=str(folder), cure=f"psis-bench train {folder}")
    return config, weights


def _measure(config: RunConfig, weights: Path | None, values: dict[str, str]) -> dict[str, Any]:
    work = _work(values)
    from psis_bench.engine.checkpoints import load_weights
    from psis_bench.engine.device import use_device
    from psis_bench.engine.timing import time_model
    from psis_bench.models.compose import compose_run
    from psis_bench.splits.categories import COCO_NAMES

    classes = (load_weights(weights).classes if weights else None) or COCO_NAMES
    composed = compose_run(config, classes=classes)
    device = use_device(config.device, config.threads)
    named = {"model": config.model, "mask_head": config.mask_head or composed.get("mask_head")}
    return {**named, **time_model(composed, weights=weights, device=device, work=work)}


def _work(values: dict[str, str]) -> Work:
    from psis_bench.engine.timing import Work

    given: dict[str, Any] = {}
    for key, least in (("images", 1), ("warm_up", 0), ("boxes", 1)):
        if key in values:
            given[key] = _whole(key, values[key], least)
    if "batch" in values:
        given["batches"] = tuple(_whole("batch", text, 1) for text in values["batch"].split(","))
    if "size" in values:
        found = re.fullmatch(r"(\d+)x(\d+)", values["size"])
        if found is None or min(map(int, found.groups())) < 1:
            raise UserError(f"size is {values['size']!r}", cure="give width x height in pixels, as in size=640x480")
        given["size"] = (int(found[1]), int(found[2]))
    return Work(**given)


def _whole(key: str, text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise UserError(f"{key} is {text!r}", cure=f"give a whole number of at least {least}")
    return int(text)


def timing_table(result: dict[str, Any]) -> Table:
    """Return the times of `psis_bench.engine.timing.time_model` as a table."""
    from rich.table import Table

    head = f", mask head {result['mask_head']}" if result["mask_head"] else ""
    table = Table(title=f"{result['model']}{head}")
    table.add_column("ms an image")
    for measured in result["measured"]:
        for place, column in enumerate(("median", "p90", "p99")):
            table.add_column(f"batch {measured['batch']}\n{column}" if not place else f"\n{column}", justify="right")
    stages = list(result["measured"][0]["stages"])
    for stage in (*stages, "end_to_end"):
        cells = []
        for measured in result["measured"]:
            times = measured["end_to_end"] if stage == "end_to_end" else measured["stages"][stage]
            cells += [f"{times[column]:.1f}" for column in ("median", "p90", "p99")]
        table.add_row(_NAMES.get(stage, "end to end"), *cells, end_section=stage == stages[-1])
    return table


def facts(result: dict[str, Any]) -> list[str]:
    """Return what stands below the table, one line each."""
    width, height = result["image"]
    counts, work = result["parameters"], result["multiply_adds"]
    parts = [f"{_NAMES[name]} {work[name] / 1e9:.2f}" for name in work if name != "all"]
    threads = f"{result['threads']} thread{'s' if result['threads'] > 1 else ''}"
    lines = [
        f"images of {width} x {height} pixels, masks on {result['boxes']} boxes each, {result['weights']} weights",
        f"{result['device']}, {threads}, torch {result['versions']['torch']}",
        f"parameters {counts['all'] / 1e6:.2f} M; multiply-adds {work['all'] / 1e9:.2f} G ({', '.join(parts)})",
    ]
    for measured in result["measured"]:
        lines.append(
            f"batch {measured['batch']}: {measured['images_per_second']:.1f} images/s, "
            f"peak memory {measured['peak_memory'] / 2**20:.0f} MiB, {measured['images']} images"
        )
    return lines
