"""What may happen to a run directory whose configuration is another one.

Nothing that has been computed is thrown away unasked: a differing configuration is refused, with the keys that
differ and the flag that would override. Each key counts from the first stage whose results it changes, so that
another set of unseen classes does not cost a training.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psis_bench.config import RunConfig, config_to_yaml, flatten, load_config
from psis_bench.errors import UserError
from psis_bench.files import sha256_of_json, write_error, write_json, write_text
from psis_bench.run import OUTPUTS, RunDirectory, Stage

# Where and how fast, not what. Data that moved to another folder is told by the hash of its annotations. What is scored
# besides changes none of the other scores.
NEUTRAL = frozenset(
    {"out", "overwrite", "workers", "threads", "gpus", "nodes", "device", "data.root", "boundary", "class_agnostic"}
)
_PREDICT_ONLY = ("mm.model.test_cfg.", "mm.test_", "box_jitter")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One key whose value is not that of the run: its old and new value, and the first stage it changes."""

    key: str
    old: Any
    new: Any
    stage: Stage

    def __str__(self) -> str:
        """Return ``seed (0 -> 1)``."""
        return f"{self.key} ({_shown(self.old)} -> {_shown(self.new)})"


def differences(old: RunConfig, new: RunConfig) -> list[Difference]:
    """Return the keys in which two configurations differ, without those that change no result."""
    before, after = flatten(old), flatten(new)
    found = []
    for key in dict.fromkeys([*before, *after]):
        was, now = before.get(key), after.get(key)
        if key not in NEUTRAL and was != now:
            found.append(Difference(key=key, old=was, new=now, stage=_first_stage(key, was, now)))
    return found


def check_config(run: RunDirectory, stages: Sequence[Stage]) -> None:
    """Refuse a run directory with results of another configuration; changes nothing.

    Args:
        run: The run directory, which need not exist, with the configuration that is asked for.
        stages: The stages of the command.

    Raises:
        UserError: Names the keys that differ, the flag that overrides, and the other way out.
    """
    allowed = first_overwritten(run.config, stages)
    if not run.config_file.is_file():
        return
    found = differences(load_config(run.config_file), run.config)
    lost = [item for item in found if any(run.has_results_of(stage) for stage in item.stage.and_later())]
    if not lost:
        return
    first = min((item.stage for item in lost), key=lambda stage: stage.order)
    if allowed is not None and allowed.order <= first.order:
        return
    flag = f"add overwrite={first} to throw its results from {first} on away"
    if first not in stages:
        flag = f"use `psis-bench run ... overwrite={first}`"
    raise UserError(
        f"the run has another configuration: {', '.join(str(item) for item in lost)}",
        where=str(run.path),
        cure=f"{flag}, or keep both with another out=",
    )


def first_overwritten(config: RunConfig, stages: Sequence[Stage]) -> Stage | None:
    """Return the stage from which on results may be thrown away; None: no stage.

    Raises:
        UserError: The stage is not one of this command.
    """
    if config.overwrite == "none":
        return None
    first = stages[0] if config.overwrite == "all" else Stage(config.overwrite)
    if first not in stages:
        raise UserError(
            f"overwrite={first} does not fit: this command does not {first}", cure="use it with psis-bench run"
        )
    return first


def take_over(run: RunDirectory, stages: Sequence[Stage]) -> bool:
    """Make the run directory that of its configuration, throwing away what ``overwrite`` says.

    When a command with ``overwrite`` was interrupted, the same command continues and throws nothing away again.

    Returns:
        Whether an interrupted command with ``overwrite`` is continued.

    Raises:
        UserError: See `check_config`; or the directory cannot be written to.
    """
    check_config(run, stages)
    continued = continues_overwriting(run, stages)
    first = first_overwritten(run.config, stages)
    if not continued:
        _ticket_file(run).unlink(missing_ok=True)
    if first is not None and not continued:
        clear(run, first)
        write_json(_ticket_file(run), _ticket(run, first))
    text = config_to_yaml(dataclasses.replace(run.config, overwrite="none"))
    if not run.config_file.is_file() or run.config_file.read_text(encoding="utf-8") != text:
        write_text(run.config_file, text)
    return continued


def continues_overwriting(run: RunDirectory, stages: Sequence[Stage]) -> bool:
    """Whether this command with ``overwrite`` was begun before and did not come to its end."""
    first = first_overwritten(run.config, stages)
    return first is not None and _read(_ticket_file(run)) == _ticket(run, first)


def finish_overwriting(run: RunDirectory) -> None:
    """Note that the command ran to its end, so that the next ``overwrite`` throws away again."""
    _ticket_file(run).unlink(missing_ok=True)


def clear(run: RunDirectory, first: Stage) -> None:
    """Remove the results of a stage and of every later one.

    The markers go first, so that a stage whose results are half removed never looks done.
    """
    try:
        for stage in reversed(first.and_later()):
            run.marker(stage).unlink(missing_ok=True)
            run.started(stage).unlink(missing_ok=True)
        for stage in reversed(first.and_later()):
            for name in OUTPUTS[stage]:
                _remove(run.path / name)
    except OSError as error:
        raise write_error(Path(error.filename or run.path), error) from error


def _ticket_file(run: RunDirectory) -> Path:
    return run.state / "overwriting.json"


def _ticket(run: RunDirectory, first: Stage) -> dict[str, str]:
    return {"from": str(first), "config": _identity(run.config)}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _first_stage(key: str, old: Any, new: Any) -> Stage:
    if key.removeprefix("+").startswith(_PREDICT_ONLY):
        return Stage.PREDICT
    if key != "split":
        return Stage.TRAIN
    from psis_bench.splits.registry import get_split

    try:
        before, after = get_split(old), get_split(new)
    except UserError:
        return Stage.TRAIN
    if set(before.seen) != set(after.seen):
        return Stage.TRAIN
    return Stage.SCORE if before.max_detections == after.max_detections else Stage.PREDICT


def _identity(config: RunConfig) -> str:
    return sha256_of_json({key: repr(value) for key, value in flatten(config).items() if key not in NEUTRAL})


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
