"""``psis-bench data make``, ``psis-bench data check`` and ``psis-bench data priors``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from psis_bench.commands import priors
from psis_bench.commands.arguments import read_arguments
from psis_bench.errors import UserError, did_you_mean

_MAKE_KEYS = ("images", "out", "val_images", "seed", "size", "workers")
_CHECK_KEYS = ("data", "data.name", "data.root", "workers")


def execute(options: argparse.Namespace) -> int:
    """Make or check a data set, or make what a model begins with from one."""
    verbs = {"make": _make, "check": _check, "priors": priors.make}
    if not options.arguments:
        raise UserError(
            "none of make, check and priors is given",
            cure="psis-bench data make synthetic ..., or psis-bench data check NAME",
        )
    verb, *rest = options.arguments
    if verb not in verbs:
        raise UserError(f"unknown command 'data {verb}'", cure=did_you_mean(verb, verbs))
    return verbs[verb](options, rest)


def _make(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    kind, values = read_arguments(arguments, _MAKE_KEYS)
    if kind != "synthetic":
        raise UserError(
            f"cannot make data set {kind!r}" if kind else "no kind of data set is given",
            cure="psis-bench data make synthetic images=N out=DIR",
        )
    for key in ("images", "out"):
        if key not in values:
            raise UserError(f"{key} is missing", cure=f"add {key}=..., as in images=1000 out=my_set")
    out = Path(values.pop("out")).expanduser()
    numbers = {key: _whole(key, text, least=int(key in ("images", "workers"))) for key, text in values.items()}
    done = {"out": str(out), "data": str(out / "dataset.yaml"), **numbers}
    if not options.dry_run:
        from psis_bench.data.synthetic.make import make_synthetic

        make_synthetic(
            out,
            images=numbers["images"],
            val_images=numbers.get("val_images"),
            seed=numbers.get("seed", 0),
            size=numbers.get("size", 160),
            workers=numbers.get("workers"),
        )
    if options.json:
        sys.stdout.write(json.dumps(done, indent=2) + "\n")
    else:
        what = ", ".join(f"{key}={value}" for key, value in numbers.items())
        _print(f"{'would make' if options.dry_run else 'made'} {out} ({what})")
        _print(f"use it with data={out / 'dataset.yaml'}")
    return 0


def _check(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    name, values = read_arguments(arguments, _CHECK_KEYS)
    name = name or values.get("data") or values.get("data.name")
    if name is None:
        raise UserError("no data set is given", cure="psis-bench data check coco, or a path to a .yaml")
    if options.dry_run:
        raise UserError("data check changes nothing", cure="leave --dry-run out")
    from psis_bench.data.checks import check_dataset
    from psis_bench.data.dataset_config import get_dataset

    if (Path(name) / "dataset.yaml").is_file():
        name = str(Path(name) / "dataset.yaml")
    workers = _whole("workers", values["workers"], least=1) if "workers" in values else None
    dataset = get_dataset(name, root=values.get("data.root"))
    problems = check_dataset(dataset, workers=workers)
    if options.json:
        faults = [{"where": fault.where, "what": fault.what, "cure": fault.cure} for fault in problems]
        sys.stdout.write(
            json.dumps({"data": dataset.name, "root": str(dataset.root), "faults": faults}, indent=2) + "\n"
        )
    else:
        for fault in problems:
            _print(str(fault))
        count = f"{len(problems)} fault{'s' if len(problems) != 1 else ''}" if problems else "no faults"
        _print(f"data set {dataset.name} in {dataset.root}: {count}")
    return 1 if problems else 0


def _whole(key: str, text: str, *, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise UserError(f"{key} must be a whole number, not {text!r}") from None
    if number < least:
        raise UserError(f"{key}={number} is too small", cure=f"give a whole number of at least {least}")
    return number


def _print(line: str) -> None:
    from psis_bench import console

    console.out.print(line, soft_wrap=True, markup=False)
