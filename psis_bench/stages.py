"""Which stages of a run are done, which have to be done, and why.

A stage is done when its marker holds the hashes of the inputs that it would have now. The marker is written last,
so a killed stage is never taken for a finished one. Training is never repeated unasked: it is refused when its
inputs changed. Later stages are cheap next to it and follow what they are made from.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from psis_bench import __version__
from psis_bench.config_listing import config_files, fingerprint
from psis_bench.errors import UserError
from psis_bench.files import sha256_of_file, sha256_of_json, write_json
from psis_bench.overwriting import continues_overwriting, first_overwritten
from psis_bench.run import RESULTS, RunDirectory, Stage

_BIG = 16 * 2**20


class Action(StrEnum):
    """What happens to a stage."""

    RUN = "run"
    CONTINUE = "continue"
    SKIP = "skip"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True)
class StagePlan:
    """What happens to a stage, and why.

    Attributes:
        outdated: There are results of other inputs, which have to go first.
    """

    stage: Stage
    action: Action
    why: str
    outdated: bool = False
    inputs: dict[str, str] = field(default_factory=dict)


class FileHashes:
    """SHA-256 of files; that of a big file is kept and trusted while its size and time of change stay.

    Args:
        store: Where the hashes are kept; None keeps none.
    """

    def __init__(self, store: Path | None) -> None:
        self._store = store
        known = _read_json(store) if store is not None else None
        self._known: dict[str, Any] = known if isinstance(known, dict) else {}

    def of(self, path: Path, *, cure: str) -> str:
        """Return the hash of a file; ``cure`` tells what to do when it is missing."""
        try:
            stat = path.stat()
            stamp = [stat.st_size, stat.st_mtime_ns]
            if stat.st_size < _BIG:
                return sha256_of_file(path)
            entry = self._known.get(str(path))
            if isinstance(entry, list) and entry[:2] == stamp:
                return str(entry[2])
            digest = sha256_of_file(path)
        except FileNotFoundError:
            raise UserError("no such file", where=str(path), cure=cure) from None
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=str(path), cure=cure) from None
        self._known[str(path)] = [*stamp, digest]
        if self._store is not None:
            write_json(self._store, self._known)
        return digest


def stage_inputs(run: RunDirectory, stage: Stage, hashes: FileHashes) -> dict[str, str]:
    """Return a hash for each thing that a stage's results depend on, by the words for it.

    Raises:
        UserError: One of them is missing; the cure says how to make it.
    """
    return _INPUTS[stage](run, hashes)


def plan_stages(run: RunDirectory, stages: Sequence[Stage]) -> list[StagePlan]:
    """Return what a command would do, without doing or changing anything.

    Args:
        run: The run directory, which need not exist.
        stages: The stages of the command, in order.
    """
    plans: list[StagePlan] = []
    changed: Stage | None = None
    overwritten = None if continues_overwriting(run, stages) else first_overwritten(run.config, stages)
    for stage in stages:
        if changed is not None:
            plan = StagePlan(stage=stage, action=Action.RUN, why=f"follows {changed}")
        elif overwritten is not None and stage.order >= overwritten.order:
            plan = StagePlan(stage=stage, action=Action.RUN, why=f"overwrite={run.config.overwrite}")
        elif stage is Stage.TRAIN and is_still_to_be_made(run):
            plan = StagePlan(stage=stage, action=Action.RUN, why="follows making the data set")
        else:
            plan = plan_stage(run, stage, FileHashes(None))
        changed = changed or (stage if plan.action is not Action.SKIP else None)
        plans.append(plan)
    return plans


def plan_stage(run: RunDirectory, stage: Stage, hashes: FileHashes) -> StagePlan:
    """Return what has to happen to a stage as things are now.

    Raises:
        UserError: Something is missing that the stage is made from.
    """
    inputs = stage_inputs(run, stage, hashes)
    done, started = _read_json(run.marker(stage)), _read_json(run.started(stage))
    known = done if isinstance(done, dict) else started if isinstance(started, dict) else None

    def plan(action: Action, why: str, *, outdated: bool = False) -> StagePlan:
        return StagePlan(stage=stage, action=action, why=why, outdated=outdated, inputs=inputs)

    if known is None or (done is None and not run.has_results_of(stage)):
        # Results without a marker are of an unfinished stage, or were put there by hand: the stage goes on from them.
        return plan(Action.RUN, "not done yet")
    if known.get("inputs") != sha256_of_json(inputs):
        why = _what_changed(known.get("parts"), inputs)
        if stage is Stage.TRAIN and run.has_results_of(stage):
            return plan(Action.REFUSE, why)
        return plan(Action.RUN, why, outdated=True)
    if done is None:
        return plan(Action.CONTINUE, "was interrupted")
    if not run.result(stage).is_file():
        return plan(Action.RUN, f"{RESULTS[stage]} is gone")
    return plan(Action.SKIP, f"done {_when(known)}, inputs unchanged")


def refusal(run: RunDirectory, plan: StagePlan) -> UserError:
    """Return the error that tells why a training is not touched."""
    return UserError(
        f"the run was trained from something else: {plan.why}",
        where=str(run.path),
        cure="add overwrite=train to train again from the start, or keep both with another out=",
    )


def mark_started(run: RunDirectory, plan: StagePlan) -> None:
    """Note that a stage begins, so that it is continued only from the same inputs."""
    run.marker(plan.stage).unlink(missing_ok=True)
    write_json(run.started(plan.stage), {"inputs": sha256_of_json(plan.inputs), "parts": plan.inputs})


def mark_done(run: RunDirectory, plan: StagePlan, *, seconds: float) -> None:
    """Note that a stage is done."""
    write_json(
        run.marker(plan.stage),
        {
            "inputs": sha256_of_json(plan.inputs),
            "parts": plan.inputs,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": seconds,
            # Of the process until now, in bytes; ru_maxrss is in KiB on Linux.
            "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "psis_bench": __version__,
        },
    )
    run.started(plan.stage).unlink(missing_ok=True)


def is_still_to_be_made(run: RunDirectory) -> bool:
    """Whether the data set is a synthetic one that is not there yet."""
    dataset = run.dataset
    return dataset.synthetic is not None and not dataset.val.annotations.is_file()


def check_data(run: RunDirectory, stages: Sequence[Stage]) -> None:
    """Refuse a data set whose annotation files are missing, before anything is made.

    Raises:
        UserError: Names the file.
    """
    parts = {Stage.TRAIN: run.dataset.train, Stage.PREDICT: run.dataset.val, Stage.SCORE: run.dataset.val}
    for stage in stages:
        part = parts.get(stage)
        if part is not None and run.dataset.synthetic is None and not part.annotations.is_file():
            raise UserError("no such file", where=str(part.annotations), cure=_DATA_CURE)


def _train_inputs(run: RunDirectory, hashes: FileHashes) -> dict[str, str]:
    dataset = run.dataset
    if dataset.train is None:
        raise UserError(f"data set {dataset.name!r} has no training part", cure="add train: to its YAML")
    return {
        "settings": _settings(run, stage=Stage.TRAIN),
        "model files": _model_files(run),
        "seen classes": sha256_of_json(sorted(run.split.seen)),
        "training annotations": hashes.of(dataset.train.annotations, cure=_DATA_CURE),
        "rule for bad boxes": dataset.on_bad_boxes,
        **_prior_inputs(run, hashes),
        **_teacher_inputs(run, hashes),
    }


def _prior_inputs(run: RunDirectory, hashes: FileHashes) -> dict[str, str]:
    """Return the content of shape priors that are given; nothing for a training that makes its own or has none."""
    given = [value for key, value in run.config.mm.items() if key.endswith(".priors") and isinstance(value, str)]
    cure = "make it with psis-bench data priors, or leave it out"
    return {"shape priors": sha256_of_json([hashes.of(Path(path), cure=cure) for path in given])} if given else {}


def _teacher_inputs(run: RunDirectory, hashes: FileHashes) -> dict[str, str]:
    """Return what a student's pseudo labels depend on besides; nothing for a run without a teacher."""
    from psis_bench.teacher import teacher_of

    teacher = teacher_of(run)
    if teacher is None:
        return {}
    weights = hashes.of(teacher.final_weights, cure="train the teacher first: psis-bench train")
    return {"teacher": sha256_of_json([weights, _settings(teacher, stage=Stage.PREDICT), _model_files(teacher)])}


def _predict_inputs(run: RunDirectory, hashes: FileHashes) -> dict[str, str]:
    return {
        "settings": _settings(run, stage=Stage.PREDICT),
        "model files": _model_files(run),
        "checkpoint": hashes.of(run.final_weights, cure="train first: psis-bench train"),
        "validation annotations": hashes.of(run.dataset.val.annotations, cure=_DATA_CURE),
        "rule for bad boxes": run.dataset.on_bad_boxes,
        "detections an image": str(run.split.max_detections),
    }


def _score_inputs(run: RunDirectory, hashes: FileHashes) -> dict[str, str]:
    manifest = hashes.of(run.manifest, cure="predict first: psis-bench predict")
    parts = {part.name: part.stat().st_size for part in sorted(run.predictions.glob("*/*.parquet"))}
    return {
        "predictions": sha256_of_json([manifest, parts]),
        "validation annotations": hashes.of(run.dataset.val.annotations, cure=_DATA_CURE),
        "rule for bad boxes": run.dataset.on_bad_boxes,
        "split": run.split.hash(),
        **_asked(run),
        "version of psis_bench": __version__,
    }


def _asked(run: RunDirectory) -> dict[str, str]:
    """Return which scores are asked for beyond the usual ones; nothing when none is."""
    words = [word for word in ("boundary", "class_agnostic") if getattr(run.config, word)]
    return {"scores that are asked for": " ".join(words)} if words else {}


def _report_inputs(run: RunDirectory, hashes: FileHashes) -> dict[str, str]:
    cure = "score first: psis-bench score"
    files = ("scores.json", "per_class.csv", "per_instance.parquet")
    log = hashes.of(run.train_log, cure="") if run.train_log.is_file() else ""
    return {
        "scores": sha256_of_json([hashes.of(run.path / name, cure=cure) for name in files]),
        "training log": log,
        "version of psis_bench": __version__,
    }


_INPUTS = {
    Stage.TRAIN: _train_inputs,
    Stage.PREDICT: _predict_inputs,
    Stage.SCORE: _score_inputs,
    Stage.REPORT: _report_inputs,
}
_DATA_CURE = "give the folder of the data set with data.root=, or mend its YAML"


def _settings(run: RunDirectory, *, stage: Stage) -> str:
    config = asdict(run.config)
    keys = ["crop_source", "iterations", "seed"] if stage is Stage.TRAIN else ["crop_source"]
    if stage is Stage.PREDICT and run.config.box_jitter:
        keys.append("box_jitter")
    mm = {
        path: repr(value)
        for path, value in config["mm"].items()
        if stage is Stage.PREDICT or not path.removeprefix("+").startswith(("model.test_cfg.", "test_"))
    }
    return sha256_of_json({**{key: config[key] for key in keys}, "mm": mm})


def _model_files(run: RunDirectory) -> str:
    config = run.config
    return fingerprint(config_files(config.model, config.mask_head, config.schedule))


def _what_changed(before: Any, now: dict[str, str]) -> str:
    known = before if isinstance(before, dict) else {}
    words = [word for word in {**now, **known} if known.get(word) != now.get(word)] or ["inputs"]
    listed = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    return f"{listed} changed"


def _when(marker: dict[str, Any]) -> str:
    try:
        return datetime.fromisoformat(str(marker["finished"])).astimezone().strftime("%Y-%m-%d %H:%M")
    except (KeyError, ValueError):
        return "before"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
