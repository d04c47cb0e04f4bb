"""``psis-bench sweep``: start what is missing or failed of many runs, and show how far they are."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from psis_bench.sweep.plan import Job
    from psis_bench.sweep.probe_settings import ProbeSettings
    from psis_bench.sweep.states import JobStatus

LAUNCHERS = ("local", "slurm", "print")
_SETTINGS = ("out", "launcher", "parallel", "retries", "until", "wait", "probe")
_STAGES = ("train", "predict", "score", "report")
_MOST_REPORTED = 2000
_LEAVE = "leave it out"


@dataclass(kw_only=True)
class Sweep:
    """What a sweep command asks for: its folder, how jobs are started, and the keys of the runs."""

    folder: Path
    launcher: str = "local"
    parallel: int | None = None
    retries: int = 0
    until: str = "report"
    wait: bool = False
    slurm: dict[str, str] = field(default_factory=dict)
    probe: ProbeSettings | None = None
    keys: list[str] = field(default_factory=list)
    given_keys: bool = True


def execute(options: argparse.Namespace) -> int:
    """Run, submit or print the jobs; return 1 while one of them has failed, else 0."""
    from psis_bench.run import Stage
    from psis_bench.sweep.attempts import clock_of
    from psis_bench.sweep.plan import plan_jobs
    from psis_bench.sweep.states import read_states

    sweep = read_sweep(options.arguments)
    jobs = plan_jobs(sweep.keys, folder=sweep.folder, identity=_identity(sweep))
    if options.dry_run:
        statuses = read_states(jobs, until=Stage(sweep.until), now=clock_of(sweep.folder), queued=_queued(sweep))
        _show(sweep, statuses, options)
        _tell("nothing was started (--dry-run)", options)
        return _exit_code(statuses)
    _write_plan(sweep, jobs)
    if sweep.launcher == "print":
        return _print_commands(sweep, jobs)
    _make_data(jobs)
    if sweep.probe is not None:
        from psis_bench.scoring.results.probe_mark import NOTE
        from psis_bench.sweep.probe import run_probe

        statuses = run_probe(jobs, folder=sweep.folder, settings=sweep.probe)
        _show(sweep, statuses, options)
        _tell(NOTE, options)
    else:
        statuses = _run_local(sweep, jobs, options) if sweep.launcher == "local" else _submit(sweep, jobs, options)
        _show(sweep, statuses, options)
    _report(sweep, statuses, options)
    return _exit_code(statuses)


def report_sweep(folder: Path, options: argparse.Namespace) -> int:
    """Write the page of a sweep that is there, as it is now; for ``psis-bench report SWEEP``."""
    from psis_bench.run import Stage
    from psis_bench.sweep.attempts import clock_of
    from psis_bench.sweep.plan import plan_jobs
    from psis_bench.sweep.report.build import REPORT, build_sweep_report
    from psis_bench.sweep.states import read_states

    sweep = read_sweep([str(folder), f"until={_plan(folder).get('until', 'report')}"])
    jobs = plan_jobs(sweep.keys, folder=folder, identity=_identity(sweep))
    statuses = read_states(jobs, until=Stage(sweep.until), now=clock_of(folder), queued=_queued(sweep))
    path = folder / REPORT if options.dry_run else build_sweep_report(folder, statuses)
    if options.json:
        sys.stdout.write(json.dumps({"sweep": str(folder), "report": str(path)}, indent=2) + "\n")
    else:
        from psis_bench import console

        done = f"{path} would be written (--dry-run)" if options.dry_run else path
        console.out.print(f"report: {done}", soft_wrap=True, markup=False)
    return 0


def is_sweep(word: str) -> bool:
    """Whether a word of a command is the folder of a sweep."""
    return "=" not in word and _plan_file(Path(word).expanduser()).is_file()


def _report(sweep: Sweep, statuses: Sequence[JobStatus], options: argparse.Namespace) -> None:
    """Write the page at the end of a sweep; what it lacks fails no sweep."""
    from psis_bench.sweep.report.build import build_sweep_report

    if len(statuses) > _MOST_REPORTED:
        _tell(f"report  psis-bench report {sweep.folder} (takes minutes with {len(statuses)} jobs)", options)
        return
    try:
        _tell(f"report  {build_sweep_report(sweep.folder, statuses)}", options)
    except UserError as error:
        _tell(f"no report: {error}", options)


def read_sweep(arguments: Sequence[str]) -> Sweep:
    """Read the arguments of the command; those of a sweep that is there may be left out.

    Raises:
        UserError: No folder, an unknown setting, or a value of the wrong kind.
    """
    words = list(arguments)
    given: dict[str, str] = {}
    slurm: dict[str, str] = {}
    probe: dict[str, str] = {}
    keys: list[str] = []
    for place, word in enumerate(words):
        key, equals, text = word.partition("=")
        if not equals and place == 0:
            given["out"] = word
        elif key.startswith("slurm."):
            slurm[key.removeprefix("slurm.")] = text
        elif key.startswith("probe."):
            probe[key.removeprefix("probe.")] = text
        elif key in _SETTINGS:
            given[key] = text
        else:
            keys.append(word)
    if "out" not in given:
        raise UserError("no folder is given", cure="add out=, as in out=runs/sweeps/transfer")
    folder = Path(given["out"]).expanduser()
    sweep = Sweep(folder=folder, slurm=slurm, keys=keys or _keys_of(folder), given_keys=bool(keys))
    sweep.launcher = _one_of("launcher", given.get("launcher", "local"), LAUNCHERS)
    sweep.until = _one_of("until", given.get("until", "report"), _STAGES)
    sweep.wait = _one_of("wait", given.get("wait", "false"), ("true", "false")) == "true"
    sweep.parallel = _whole("parallel", given["parallel"], least=1) if "parallel" in given else None
    sweep.retries = _whole("retries", given.get("retries", "0"), least=0)
    _read_probe(sweep, given, probe)
    if slurm and sweep.launcher != "slurm":
        raise UserError(f"slurm.{next(iter(slurm))}= goes with launcher=slurm", cure="add launcher=slurm")
    return sweep


def _read_probe(sweep: Sweep, given: Mapping[str, str], settings: Mapping[str, str]) -> None:
    """Turn probe mode on when it is asked for, or when the sweep that is there was made in it."""
    from psis_bench.sweep.probe_settings import ProbeSettings

    wanted = _one_of("probe", given.get("probe", "false"), ("true", "false")) == "true"
    before = {} if "probe" in given or sweep.given_keys else _plan(sweep.folder).get("probe", {})
    if before:
        wanted, settings = True, {**{key: str(value).lower() for key, value in before.items()}, **settings}
    if wanted:
        sweep.probe = ProbeSettings.read(settings)
        if sweep.launcher != "local":
            raise UserError(f"probe=true is one process, so that launcher={sweep.launcher} has no meaning", cure=_LEAVE)
        if given.get("until", "score") != "score":
            raise UserError(f"probe=true ends with scores, so that until={given['until']} has no meaning", cure=_LEAVE)
        sweep.until = "score"
    elif settings:
        raise UserError(f"probe.{next(iter(settings))}= goes with probe=true", cure="add probe=true")


def _identity(sweep: Sweep) -> dict[str, Any] | None:
    from psis_bench.sweep.probe import identity

    return None if sweep.probe is None else identity(sweep.probe)


def _one_of(key: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise UserError(f"unknown {key} {value!r}", cure=did_you_mean(value, allowed))
    return value


def _whole(key: str, text: str, *, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise UserError(f"{key} must be a whole number of at least {least}, not {text!r}")
    return int(text)


def _plan_file(folder: Path) -> Path:
    return folder / "sweep.json"


def _keys_of(folder: Path) -> list[str]:
    """Return the keys with which a sweep's folder was last used."""
    return [str(key) for key in _plan(folder)["arguments"]]


def _plan(folder: Path) -> dict[str, Any]:
    """Return what a sweep's folder was last asked for."""
    path = _plan_file(folder)
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(plan, dict) or not isinstance(plan.get("arguments"), list):
            raise ValueError("not a plan")
    except FileNotFoundError:
        raise UserError(
            "no split is given, and no sweep is there",
            where=str(folder),
            cure="add e.g. split=single_source/* seed=0,1,2",
        ) from None
    except ValueError:
        raise UserError("damaged", where=str(path), cure="give the keys of the sweep again") from None
    return plan


def _write_plan(sweep: Sweep, jobs: Sequence[Job]) -> None:
    from psis_bench import __version__
    from psis_bench.files import write_json

    content = {"schema": 1, "arguments": sweep.keys, "until": sweep.until, "jobs": [job.id for job in jobs]}
    if sweep.probe is not None:
        content |= {"probe": sweep.probe.to_dict(), "identity": _identity(sweep)}
    write_json(_plan_file(sweep.folder), {**content, "psis_bench": __version__})


def _make_data(jobs: Sequence[Job]) -> None:
    """Make synthetic sets that are not there yet, before several jobs would."""
    from psis_bench.data.dataset_config import get_dataset
    from psis_bench.data.synthetic.make import ensure_synthetic

    for data in dict.fromkeys(job.config.data for job in jobs):
        ensure_synthetic(get_dataset(data.name, root=data.root))


def _run_local(sweep: Sweep, jobs: Sequence[Job], options: argparse.Namespace) -> list[JobStatus]:
    from psis_bench.run import Stage
    from psis_bench.sweep.local import LocalPool, find_slots, visible_gpus

    config = jobs[0].config
    gpus = [] if config.device in ("cpu", "mps") else visible_gpus()
    if config.nodes > 1:
        raise UserError(f"nodes={config.nodes} are those of a cluster", cure="use launcher=slurm, or leave nodes= out")
    slots = find_slots(parallel=sweep.parallel, gpus=gpus, gpus_each=config.gpus, threads=config.threads)
    _tell(f"sweep   {sweep.folder}: {len(jobs)} jobs, {len(slots)} at once ({slots[0].name}, ...)", options)
    cores = len(os.sched_getaffinity(0))
    pool = LocalPool(
        jobs,
        folder=sweep.folder,
        until=Stage(sweep.until),
        slots=slots,
        threads=config.threads or max(1, cores // (len(slots) * config.gpus)),
        retries=sweep.retries,
    )
    return pool.run()


def _submit(sweep: Sweep, jobs: Sequence[Job], options: argparse.Namespace) -> list[JobStatus]:
    from psis_bench.run import Stage
    from psis_bench.sweep.slurm import SlurmQueue

    queue = SlurmQueue(sweep.folder, until=Stage(sweep.until), parameters=sweep.slurm, at_once=sweep.parallel)
    number = queue.submit(jobs)
    _tell(f"sweep   {sweep.folder}: {number} jobs given to SLURM", options)
    return queue.wait(jobs) if sweep.wait else queue.states(jobs)


def _queued(sweep: Sweep) -> set[str]:
    if not (sweep.folder / ".slurm").is_dir():
        return set()
    from psis_bench.sweep.slurm import queued_jobs

    return queued_jobs(sweep.folder)


def _print_commands(sweep: Sweep, jobs: Sequence[Job]) -> int:
    """Print the command of each job that is to be started, and nothing else."""
    import shlex

    from psis_bench.report.command import command_of
    from psis_bench.run import Stage
    from psis_bench.sweep.attempts import clock_of
    from psis_bench.sweep.states import read_states

    statuses = read_states(jobs, until=Stage(sweep.until), now=clock_of(sweep.folder), queued=_queued(sweep))
    for status in statuses:
        if status.to_start:
            out = shlex.quote(f"out={status.job.folder}")
            sys.stdout.write(f"{command_of(asdict(status.job.config))} {out}\n")
    return _exit_code(statuses)


def _show(sweep: Sweep, statuses: Sequence[JobStatus], options: argparse.Namespace) -> None:
    from psis_bench import console
    from psis_bench.sweep.table import as_json, job_table, shown, summary

    at_once = sweep.parallel or max(1, sum(status.state == "running" for status in statuses))
    if options.json:
        sys.stdout.write(json.dumps(as_json(statuses, folder=sweep.folder, at_once=at_once), indent=2) + "\n")
        return
    if shown(statuses, every=options.all):
        console.out.print(job_table(statuses, folder=sweep.folder, every=options.all))
    console.out.print(summary(statuses, at_once=at_once), soft_wrap=True, markup=False)
    failed = [status for status in statuses if status.state == "failed"]
    if failed:
        console.out.print(
            f"the same command runs what failed again; what a job printed is in <job>/{_log()}",
            soft_wrap=True,
            markup=False,
        )


def _log() -> str:
    from psis_bench.sweep.local import LOG

    return str(LOG)


def _tell(line: str, options: argparse.Namespace) -> None:
    if options.json:
        return
    from psis_bench import console

    console.err.print(line, soft_wrap=True, markup=False)


def _exit_code(statuses: Sequence[Any]) -> int:
    return 1 if any(status.state == "failed" for status in statuses) else 0
