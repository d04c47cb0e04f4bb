"""Run the stages of a run one after the other, those that are done left out.

The stages talk through files; this module knows only which function makes which files. Training and prediction
are imported when they are needed: everything else works without torch.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from psis_bench import console
from psis_bench.config import RunConfig
from psis_bench.errors import UserError
from psis_bench.overwriting import check_config, clear, finish_overwriting, take_over
from psis_bench.run import RunDirectory, Stage
from psis_bench.stages import (
    Action,
    FileHashes,
    StagePlan,
    check_data,
    is_still_to_be_made,
    mark_done,
    mark_started,
    plan_stage,
    plan_stages,
    refusal,
)
from psis_bench.teacher import teacher_of

_NEEDS_TORCH = (Stage.TRAIN, Stage.PREDICT)
_TRAIN_PACKAGES = ("torch", "torchvision", "mmengine", "mmcv", "mmdet")


@dataclass(kw_only=True)
class Outcome:
    """What a command did.

    Attributes:
        run: The run directory.
        plans: What happened to each stage, and why.
        seconds: How long each stage took that was run.
    """

    run: RunDirectory
    plans: list[StagePlan] = field(default_factory=list)
    seconds: dict[Stage, float] = field(default_factory=dict)

    def scores(self) -> dict[str, Any] | None:
        """Return the content of ``scores.json``, or None when there is none."""
        try:
            content = json.loads(self.run.scores.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return content if isinstance(content, dict) else None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        report = self.run.report
        return {
            "run": str(self.run.path),
            "stages": [
                {
                    "stage": str(plan.stage),
                    "action": str(plan.action),
                    "why": plan.why,
                    "seconds": self.seconds.get(plan.stage),
                }
                for plan in self.plans
            ],
            "scores": self.scores(),
            "report": str(report) if report.is_file() else None,
        }


def run_stages(config: RunConfig, stages: Sequence[Stage]) -> Outcome:
    """Run stages of a run; those that are done from the same inputs are left out.

    Args:
        config: A resolved configuration.
        stages: Stages in their order.

    Returns:
        What was done. The files are those of `RunDirectory`.

    Raises:
        UserError: Everything that the user can mend; what was computed before stays.
    """
    run = RunDirectory.of(config)
    _check_before(run, stages)
    run.create()
    with run.locked():
        if take_over(run, stages):
            _tell(f"overwrite={config.overwrite}: goes on where the same command was interrupted")
        _show_header(run)
        _make_data(run)
        outcome = Outcome(run=run)
        hashes = FileHashes(run.state / "hashes.json")
        for stage in stages:
            plan = plan_stage(run, stage, hashes)
            outcome.plans.append(plan)
            seconds = _run_stage(run, plan)
            if seconds is not None:
                outcome.seconds[stage] = seconds
        finish_overwriting(run)
    return outcome


def dry_run(config: RunConfig, stages: Sequence[Stage]) -> Outcome:
    """Return what `run_stages` would do; nothing is made or changed.

    Raises:
        UserError: What `run_stages` would refuse from the start.
    """
    run = RunDirectory.of(config)
    _check_before(run, stages)
    return Outcome(run=run, plans=plan_stages(run, stages))


def _check_before(run: RunDirectory, stages: Sequence[Stage]) -> None:
    """Find what can be found before anything is made: names, another configuration, packages that are missing."""
    _ = run.split
    check_data(run, stages)
    check_config(run, stages)
    if Stage.TRAIN in stages:
        teacher_of(run)
    needs_torch = [stage for stage in stages if stage in _NEEDS_TORCH]
    if needs_torch and not all(run.marker(stage).is_file() for stage in needs_torch):
        require_torch(needs_torch[0])


def require_torch(stage: Stage) -> None:
    """Refuse a stage that computes where the packages for it are missing."""
    missing = [name for name in _TRAIN_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise UserError(
            f"psis-bench {stage} needs {', '.join(missing)}, which {verb} not installed",
            cure="in the checkout: pip install -e '.[train]'",
        )


def _make_data(run: RunDirectory) -> None:
    if is_still_to_be_made(run):
        from psis_bench.data.synthetic.make import ensure_synthetic

        ensure_synthetic(run.dataset)


def _run_stage(run: RunDirectory, plan: StagePlan) -> float | None:
    """Do what the plan says; return the seconds it took, None when nothing was done."""
    if plan.action is Action.REFUSE:
        raise refusal(run, plan)
    if plan.action is Action.SKIP:
        _tell(f"{plan.stage}: {plan.why}; skipped")
        return None
    if plan.action is Action.CONTINUE or plan.why != "not done yet":
        _tell(f"{plan.stage}: {plan.why}; {'continues' if plan.action is Action.CONTINUE else 'runs again'}")
    if plan.stage in _NEEDS_TORCH:
        require_torch(plan.stage)
    if plan.outdated:
        clear(run, plan.stage)
    mark_started(run, plan)
    begin = time.monotonic()
    _STAGES[plan.stage](run)
    seconds = time.monotonic() - begin
    if not run.result(plan.stage).is_file():
        raise RuntimeError(f"{plan.stage} ended without {run.result(plan.stage)}")
    mark_done(run, plan, seconds=seconds)
    return seconds


def _train(run: RunDirectory) -> None:
    from psis_bench.distributed import is_distributed, train_distributed

    if run.config.teacher is not None:
        importlib.import_module("psis_bench.engine.pseudo_label").pseudo_label(run)
    if is_distributed(run):
        train_distributed(run)
    else:
        importlib.import_module("psis_bench.engine.train").train(run)


def _predict(run: RunDirectory) -> None:
    importlib.import_module("psis_bench.engine.predict").predict(run)


def _score(run: RunDirectory) -> None:
    from psis_bench.scoring.score import score_run

    score_run(
        predictions=run.predictions,
        annotations=run.dataset.val.annotations,
        split=run.split,
        out=run.path,
        boundary=bool(run.config.boundary),
        class_agnostic=bool(run.config.class_agnostic),
        details=True,
        on_bad_boxes=run.dataset.on_bad_boxes,
    )


def _report(run: RunDirectory) -> None:
    from psis_bench.report.build import build_report

    val = run.dataset.val
    build_report(
        run.path,
        annotations=val.annotations,
        images=val.images,
        split=run.split,
        on_bad_boxes=run.dataset.on_bad_boxes,
    )


_STAGES = {Stage.TRAIN: _train, Stage.PREDICT: _predict, Stage.SCORE: _score, Stage.REPORT: _report}


def _show_header(run: RunDirectory) -> None:
    config, split = run.config, run.split
    unseen = "the rest" if split.unseen_is_rest else str(len(split.unseen))
    head = f", mask head {config.mask_head}" if config.mask_head else ""
    crops = f", crops {config.crop_source}" if config.crop_source else ""
    lines = {
        "split": f"{split.name} (version {split.version}): {len(split.seen)} seen, {unseen} unseen classes",
        "model": f"{config.model}{head}{crops}, seed {config.seed}",
        "data": f"{run.dataset.name} ({run.dataset.root})",
        **({"teacher": config.teacher} if config.teacher else {}),
        "device": config.device,
        "run": str(run.path),
    }
    for word, text in lines.items():
        _tell(f"{word:<7} {text}")


def _tell(line: str) -> None:
    console.err.print(line, soft_wrap=True, markup=False)
