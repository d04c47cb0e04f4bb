"""``psis-bench convert``: a checkpoint of the official TensorFlow code as weights of a model here."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from psis_bench.convert.tf_checkpoint import TfCheckpoint

_KEYS = ("model", "mask_head", "out")
# Names of what was left out that are shown without --all.
_FEW = 5


def execute(options: argparse.Namespace) -> int:
    """Convert; refuse what does not fit, after naming each variable."""
    prefix, values, model_keys = _read(options.arguments)
    from psis_bench.convert.conversion import PartialConversionError
    from psis_bench.convert.tf_checkpoint import TfCheckpoint

    out = _checked_out(Path(values["out"]).expanduser())
    checkpoint = TfCheckpoint(Path(prefix).expanduser())
    try:
        # Other packages print; standard output is for the result alone.
        with contextlib.redirect_stdout(sys.stderr):
            written = _convert(checkpoint, model_keys, out)
    except PartialConversionError as error:
        sys.stderr.write(error.report() + "\n")
        raise
    told = {"out": str(out), **written, "variables": len(checkpoint.entries), "left_out": checkpoint.skipped}
    if options.json:
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        _show(told, checkpoint, every=options.all)
    return 0


def _read(arguments: list[str]) -> tuple[str, dict[str, str], list[str]]:
    """Return the path of the checkpoint, the keys of this command, and those that choose the model."""
    values: dict[str, str] = {}
    model_keys: list[str] = []
    words: list[str] = []
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals:
            words.append(argument)
            continue
        if key.startswith(("mm.", "+mm.")):
            model_keys.append(argument)
            continue
        if key not in _KEYS:
            raise UserError(f"unknown key {key!r}", cure=did_you_mean(key, _KEYS))
        if not text or key in values:
            raise UserError(
                f"{key} has no value" if not text else f"{key}= is given twice", cure=f"write {key}=... once"
            )
        values[key] = text
        if key != "out":
            model_keys.append(argument)
    if len(words) != 1:
        found = "no checkpoint is given" if not words else f"{words[1]!r} is one word too many"
        raise UserError(found, cure="give the path of one checkpoint, up to .index")
    for key, example in (("model", "deep_mac/hg104_1024"), ("out", "weights.safetensors")):
        if key not in values:
            raise UserError(f"no {key}= is given", cure=f"add {key}={example}")
    return words[0], values, model_keys


def _checked_out(path: Path) -> Path:
    if path.suffix != ".safetensors":
        raise UserError("out= is no .safetensors file", where=str(path), cure="write out=weights.safetensors")
    if path.exists():
        raise UserError("there is a file already", where=str(path), cure="give another out=, or remove it")
    return path


def _convert(checkpoint: TfCheckpoint, model_keys: list[str], out: Path) -> dict[str, Any]:
    """Convert and write; return the model's names and the number of tensors."""
    from psis_bench.config import resolve_config
    from psis_bench.pipeline import require_torch
    from psis_bench.run import Stage
    from psis_bench.splits.categories import COCO_NAMES

    run = resolve_config(["split=fully_supervised", *model_keys])
    require_torch(Stage.PREDICT)
    from psis_bench.engine.checkpoints import save_weights
    from psis_bench.engine.conversion import converted_weights
    from psis_bench.models.compose import compose_run

    config = compose_run(run, classes=COCO_NAMES)
    weights = converted_weights(checkpoint, config)
    save_weights(out, weights, classes=COCO_NAMES)
    return {"model": run.model, "mask_head": config.mask_head, "tensors": len(weights)}


def _show(told: dict[str, Any], checkpoint: TfCheckpoint, *, every: bool) -> None:
    from psis_bench import console

    def say(line: str) -> None:
        console.out.print(line, soft_wrap=True, markup=False, highlight=False)

    counts = f"{told['variables']} variables to {told['tensors']} tensors"
    say(f"{counts} of {told['model']}, {told['mask_head']}: {told['out']}")
    skipped = checkpoint.skipped
    if skipped:
        say(f"left out by rule, {len(skipped)} of the optimizer and counters:")
        for name in skipped if every else skipped[:_FEW]:
            say(f"  {name}")
        if not every and len(skipped) > _FEW:
            say(f"  and {len(skipped) - _FEW} more (--all names them)")
    say(
        f"try it: psis-bench predict image=photo.jpg boxes='10,20,200,150' checkpoint={told['out']} "
        f"model={told['model']} mask_head={told['mask_head']}"
    )
