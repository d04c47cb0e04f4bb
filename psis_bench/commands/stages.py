"""``psis-bench run`` and its stages alone: ``train``, ``predict``, ``score``, ``report``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psis_bench.commands.score import form_of, show_scores
from psis_bench.commands.sweep import is_sweep, report_sweep
from psis_bench.config import RunConfig, flatten, load_config, resolve_config
from psis_bench.errors import UserError
from psis_bench.recipes import expand
from psis_bench.run import Stage


def execute(options: argparse.Namespace) -> int:
    """Run the stages of the command, or show what would run."""
    stages = list(Stage) if options.command == "run" else [Stage(options.command)]
    if stages == [Stage.REPORT] and options.arguments and is_sweep(options.arguments[0]):
        return _report_sweep(options)
    config = config_of(options.arguments)
    form = form_of(options)
    if options.dry_run:
        _show_dry_run(config, stages, as_json=options.json)
        return 0
    from psis_bench.pipeline import run_stages

    # Other packages print ("loading annotations into memory..."); standard output is for the result alone.
    with contextlib.redirect_stdout(sys.stderr):
        outcome = run_stages(config, stages)
    if form == "json":
        _write_json(outcome.to_dict())
        return 0
    from psis_bench import console

    scores = outcome.scores()
    if scores is not None and (Stage.SCORE in stages or Stage.REPORT in stages):
        show_scores(scores, form)
    if form is not None:
        return 0
    console.out.print(f"{stages[-1]}: {_made(outcome.run.path, stages[-1])}", soft_wrap=True, markup=False)
    return 0


def _report_sweep(options: argparse.Namespace) -> int:
    if len(options.arguments) > 1:
        raise UserError(f"the page of a sweep takes no {options.arguments[1]!r}", cure="give its folder alone")
    return report_sweep(Path(options.arguments[0]).expanduser(), options)


def config_of(arguments: Sequence[str]) -> RunConfig:
    """Return the configuration of a command, from its keys, a run's folder, or both.

    Args:
        arguments: ``key=value``; the first may be the folder of a run. ``out=`` of a run that is there does the
            same when no split is given. ``recipe=`` stands for the settings of a recipe. Of a key that is there several
            times the last counts, so that a command can be written as another one and what differs.
    """
    words = expand(arguments)
    folder: Path | None = None
    if words and "=" not in words[0] and _is_path(words[0]):
        # What has no config.yaml is no run; reading it says so.
        folder = Path(words.pop(0)).expanduser()
        if any(word.startswith("out=") for word in words):
            raise UserError("both the folder of a run and out= are given", cure="give one of them")
    elif not any(word.startswith("split=") for word in words):
        outs = [Path(word.removeprefix("out=")) for word in words if word.startswith("out=")]
        folder = next((out for out in reversed(outs) if (out / "config.yaml").is_file()), None)
        words = [word for word in words if folder is None or not word.startswith("out=")]
    if folder is None:
        return resolve_config(words)
    saved = dataclasses.replace(load_config(folder / "config.yaml"), out=str(folder), overwrite="none")
    return resolve_config(words, base=saved)


def _is_path(word: str) -> bool:
    """Whether a word stands for a folder, rather than for a setting without its key or its value."""
    return Path(word).is_dir() or word.startswith(("/", "./", "../", "~", "runs/"))


def _made(run: Path, stage: Stage) -> Path:
    from psis_bench.run import RESULTS

    return run / RESULTS[stage]


def _show_dry_run(config: RunConfig, stages: Sequence[Stage], *, as_json: bool) -> None:
    from psis_bench.pipeline import dry_run

    outcome = dry_run(config, stages)
    if as_json:
        _write_json({"config": dataclasses.asdict(config), **outcome.to_dict()})
        return
    from psis_bench import console

    def show(line: str = "") -> None:
        console.out.print(line, soft_wrap=True, markup=False)

    show("configuration")
    for key, value in flatten(config).items():
        show(f"  {key:<12} {'none' if value is None else value}")
    show("stages")
    for plan in outcome.plans:
        show(f"  {plan.stage:<12} {plan.action:<9} {plan.why}")
    show("nothing was changed (--dry-run)")


def _write_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
