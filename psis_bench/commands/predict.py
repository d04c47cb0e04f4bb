"""``psis-bench predict``: the prediction stage of a run, or masks for boxes that the user gives."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from psis_bench.config import RunConfig
    from psis_bench.user_boxes.chosen_model import ChosenModel
    from psis_bench.user_boxes.images import Gathered

_OWN = ("image", "boxes", "run", "checkpoint")
_KEYS = (*_OWN, "out", "model", "mask_head", "device", "threads")
_OUT = "masks"


def execute(options: argparse.Namespace) -> int:
    """Segment given boxes when there are any, and run the stage otherwise."""
    if any(word.partition("=")[0] in _OWN for word in options.arguments):
        return _segment(options)
    from psis_bench.commands import stages

    return stages.execute(options)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Asked:
    """The arguments, sorted.

    Attributes:
        images: Values of every ``image=``.
        values: The other keys.
        model_keys: ``key=value`` that choose the model and the device, as for a run.
    """

    images: list[str]
    values: dict[str, str]
    model_keys: list[str]


def _read(arguments: list[str]) -> _Asked:
    images: list[str] = []
    values: dict[str, str] = {}
    model_keys: list[str] = []
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals:
            raise UserError(f"{argument!r} is not key=value", cure=f"write image={argument}, or run={argument}")
        if key.startswith(("mm.", "+mm.")):
            model_keys.append(argument)
            continue
        if key not in _KEYS:
            cure = f"give one image= for each, or a folder; {did_you_mean(key, _KEYS)}"
            raise UserError(f"unknown key {key!r} beside image= and boxes=", cure=cure)
        if not text:
            raise UserError(f"{key} has no value", cure=f"write {key}=...")
        if key == "image":
            images.append(text)
        elif key in values or argument in model_keys:
            raise UserError(f"{key}= is given twice", cure="give it once")
        elif key in (*_OWN, "out"):
            values[key] = text
        else:
            model_keys.append(argument)
    for key, example in (("image", "photo.jpg"), ("boxes", "'x,y,w,h;x,y,w,h' or boxes.csv")):
        if not (images if key == "image" else values.get(key)):
            raise UserError(f"no {key} is given", cure=f"add {key}={example}")
    return _Asked(images=images, values=values, model_keys=model_keys)


def _segment(options: argparse.Namespace) -> int:
    from psis_bench import console
    from psis_bench.user_boxes.boxes import read_boxes
    from psis_bench.user_boxes.images import find_images, gather
    from psis_bench.user_boxes.outputs import check_folder

    asked = _read(options.arguments)
    chosen = _model(asked)
    out = Path(asked.values.get("out", _OUT)).expanduser()
    check_folder(out)
    gathered = gather(find_images(asked.images), read_boxes(asked.values["boxes"]))
    for note in gathered.notes:
        console.err.print(f"note: {note}", soft_wrap=True, markup=False)
    count = sum(len(request.boxes) for request in gathered.requests)
    told = f"{_counted(count, 'box', 'boxes')} on {_counted(len(gathered.requests), 'image', 'images')}"
    if options.dry_run:
        console.out.print(f"would segment {told} with {chosen.weights} into {out}", soft_wrap=True, markup=False)
        return 0
    # Other packages print; standard output is for the result alone.
    with contextlib.redirect_stdout(sys.stderr):
        content = _run(gathered, weights=chosen.weights, config=chosen.config, out=out)
    if options.json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return 0
    empty = sum(annotation["area"] == 0 for annotation in content["annotations"])
    console.out.print(f"masks of {told}: {out / 'masks.json'}", soft_wrap=True, markup=False)
    if empty:
        console.out.print(f"{empty} of them are empty: the model saw nothing in the box")
    console.out.print(f"to look at: {out / content['images'][0]['overlay_file']}", soft_wrap=True, markup=False)
    return 0


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _run(gathered: Gathered, *, weights: Path, config: RunConfig, out: Path) -> dict[str, Any]:
    from psis_bench.console import progress
    from psis_bench.engine.user_boxes import BoxSegmenter
    from psis_bench.user_boxes.outputs import Outputs

    segmenter = BoxSegmenter(config, weights)
    made_by = {"model": config.model, "mask_head": config.mask_head, "checkpoint_sha256": segmenter.sha256}
    outputs = Outputs(out, made_by=made_by)
    with progress("masks", total=len(gathered.requests)) as bar:
        for request in gathered.requests:
            outputs.add(request, segmenter.segment(request))
            bar.advance()
    return outputs.finish()


def _model(asked: _Asked) -> ChosenModel:
    """Return the weights and the configuration of the model they are of."""
    from psis_bench.pipeline import require_torch
    from psis_bench.run import Stage
    from psis_bench.user_boxes.chosen_model import model_of_checkpoint, model_of_run

    run, checkpoint = asked.values.get("run"), asked.values.get("checkpoint")
    if (run is None) == (checkpoint is None):
        both = "both run= and checkpoint= are given" if run else "neither run= nor checkpoint= is given"
        cure = "give run=FOLDER of a trained run, or checkpoint=FILE or a name of the zoo (psis-bench zoo list)"
        raise UserError(both, cure=cure)
    require_torch(Stage.PREDICT)
    if checkpoint is None:
        return model_of_run(Path(str(run)).expanduser(), asked.model_keys)
    return model_of_checkpoint(checkpoint, asked.model_keys)
