"""The jobs of a sweep as a table in the terminal, as lines, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.sweep.states import JobStatus, State, counts, progress_of, seconds_left

if TYPE_CHECKING:
    from rich.table import Table

MOST_ROWS = 60
"""A longer table shows only what runs or failed, unless every row is asked for."""
_STYLES = {State.DONE: "green", State.FAILED: "bold red", State.RUNNING: "cyan", State.QUEUED: "blue"}


def summary(statuses: Sequence[JobStatus], *, at_once: int) -> str:
    """Return e.g. ``"60 jobs: 12 done, 2 running, 46 missing; about 1 h 20 min left"``."""
    found = counts(statuses)
    order = (State.DONE, State.RUNNING, State.QUEUED, State.MISSING, State.FAILED)
    parts = ", ".join(f"{found[state]} {state}" for state in order if found[state])
    text = f"{len(statuses)} job{'' if len(statuses) == 1 else 's'}: {parts}"
    left = seconds_left(statuses, at_once=at_once)
    return f"{text}; about {duration(left)} left" if left else text


def duration(seconds: float) -> str:
    """Return ``"45 s"``, ``"12 min"``, ``"3 h 20 min"`` or ``"2 d 4 h"``."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def job_table(statuses: Sequence[JobStatus], *, folder: Path, every: bool = False) -> Table:
    """Return one row a job: its settings, state, time, and its directory or what went wrong.

    Args:
        statuses: The jobs.
        folder: The folder of the sweep, which directories are shown relative to.
        every: Show every job of a long table.
    """
    from rich.table import Table
    from rich.text import Text

    keys = list(statuses[0].job.settings) if statuses else []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in (*keys, "state"):
        table.add_column(column, no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("job", overflow="fold")
    for status in shown(statuses, every=every):
        settings = [Text(str(status.job.settings[key])) for key in keys]
        time = "" if status.seconds is None else duration(status.seconds)
        state = Text(str(status.state), style=_STYLES.get(status.state, ""))
        table.add_row(*settings, state, time, Text(_remark(status, folder)))
    return table


def shown(statuses: Sequence[JobStatus], *, every: bool) -> list[JobStatus]:
    """Return the jobs that a table shows."""
    if every or len(statuses) <= MOST_ROWS:
        return list(statuses)
    return [status for status in statuses if status.state in (State.RUNNING, State.FAILED)]


def as_json(statuses: Sequence[JobStatus], *, folder: Path, at_once: int) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    return {
        "sweep": str(folder),
        "counts": {str(state): count for state, count in counts(statuses).items()},
        "seconds_left": seconds_left(statuses, at_once=at_once),
        "jobs": [
            {
                "id": status.job.id,
                "settings": status.job.settings,
                "state": str(status.state),
                "detail": status.detail,
                "attempts": status.attempts,
                "seconds": status.seconds,
                "folder": str(status.job.folder),
            }
            for status in statuses
        ],
    }


def _remark(status: JobStatus, folder: Path) -> str:
    try:
        place = str(status.job.folder.relative_to(folder.resolve()))
    except ValueError:
        place = str(status.job.folder)
    if status.state is State.RUNNING:
        at = progress_of(status.job.folder)
        return f"{place}  {status.detail}" + (f": {at}" if at else "")
    if status.state is State.FAILED:
        return f"{place}  {status.detail}"
    return place if status.state is State.DONE else ""
