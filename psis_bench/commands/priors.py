"""``psis-bench data priors``: the typical outlines of the seen objects of a training set."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.commands.arguments import read_arguments
from psis_bench.errors import UserError

if TYPE_CHECKING:
    from psis_bench.data.shape_priors import ShapePriors

_NUMBERS = ("clusters", "size", "at_most", "seed")
_KEYS = ("split", "data", "data.name", "data.root", "out", *_NUMBERS)
_TILE = 64
# What the configurations of ShapeMask have.
_USUAL = 20


def make(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Make a file of shape priors, and a picture of them beside it."""
    word, values = read_arguments(arguments, _KEYS)
    if word is not None:
        raise UserError(f"{word!r} is one word too many", cure="settings look like split=voc2nonvoc")
    if "split" not in values:
        raise UserError("no split is given", cure="add e.g. split=voc2nonvoc; `psis-bench ls splits` shows all")
    from psis_bench.data.dataset_config import get_dataset
    from psis_bench.data.shape_priors import PriorSettings
    from psis_bench.splits.registry import get_split

    out = Path(values.get("out", "shape_priors.npz")).expanduser()
    if out.suffix != ".npz":
        raise UserError(f"out={out} is no .npz file", cure=f"write out={out.with_suffix('.npz')}")
    name = values.get("data") or values.get("data.name") or "synthetic"
    dataset = get_dataset(name, root=values.get("data.root"))
    if dataset.train is None:
        raise UserError(f"the data set '{dataset.name}' has no training part", cure="choose another data=")
    split = get_split(values["split"])
    settings = PriorSettings(**{key: _whole(key, values[key]) for key in _NUMBERS if key in values})
    done: dict[str, Any] = {"out": str(out), "split": split.name, "data": dataset.name, **vars(settings)}
    if not options.dry_run:
        priors = _made(dataset, seen=split.seen, settings=settings)
        from psis_bench.data.shape_priors import write_priors

        write_priors(out, priors)
        _draw(out.with_suffix(".png"), priors)
        done |= priors.provenance
    if options.json:
        sys.stdout.write(json.dumps(done, indent=2) + "\n")
    else:
        _tell(done, dry_run=options.dry_run)
    return 0


def _made(dataset: Any, *, seen: Sequence[str], settings: Any) -> ShapePriors:
    from psis_bench.data.coco_format import read_coco
    from psis_bench.data.shape_priors import make_priors

    if dataset.synthetic is not None and not dataset.train.annotations.is_file():
        from psis_bench.data.synthetic.make import ensure_synthetic

        ensure_synthetic(dataset)
    coco = read_coco(dataset.train.annotations, on_bad_boxes=dataset.on_bad_boxes)
    return make_priors(coco, seen=seen, settings=settings)


def _draw(path: Path, priors: ShapePriors) -> None:
    """Draw the priors in rows of ten, the largest cluster first; white is inside the object."""
    import cv2
    import numpy as np

    from psis_bench.files import atomic_path

    tiles = [
        np.pad(cv2.resize(prior, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST), 2, constant_values=0.5)
        for prior in priors.priors
    ]
    tiles += [np.full_like(tiles[0], 0.5)] * (-len(tiles) % min(10, len(tiles)))
    rows = [np.hstack(tiles[start : start + 10]) for start in range(0, len(tiles), 10)]
    picture = cv2.imencode(".png", (np.vstack(rows).clip(0, 1) * 255).round().astype(np.uint8))[1]
    with atomic_path(path) as temporary:
        temporary.write_bytes(picture.tobytes())


def _tell(done: dict[str, Any], *, dry_run: bool) -> None:
    from psis_bench import console

    verb = "would make" if dry_run else "made"
    lines = [f"{verb} {done['out']}: {done['clusters']} shapes of {done['size']} x {done['size']} cells"]
    if not dry_run:
        drawn = "" if done["masks"] == done["available"] else f", drawn from {done['available']:,}"
        lines.append(f"from {done['masks']:,} masks of {len(done['seen'])} seen classes of {done['data']}{drawn}")
        lines.append(f"masks of each: {', '.join(map(str, done['counts']))}")
        lines.append(f"picture: {Path(done['out']).with_suffix('.png')}")
    number = done["clusters"]
    also = f" mm.model.mask_branch.clusters={number}" if number != _USUAL else ""
    lines.append(f"use it with model=shapemask/... mm.model.mask_branch.priors={done['out']}{also}")
    for line in lines:
        console.out.print(line, soft_wrap=True, markup=False)


def _whole(key: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise UserError(f"{key} must be a whole number, not {text!r}") from None
    if number < int(key != "seed"):
        raise UserError(f"{key}={number} is too small", cure=f"give a whole number of at least {int(key != 'seed')}")
    return number
