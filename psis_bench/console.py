"""The terminal: one console for everything that is shown, and progress bars with the time left.

Results go to standard output, progress and notes to standard error, so that ``--json`` can be piped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_WORTH_A_LINE = 2.0
"""Seconds of work that leave a line in a log."""


class Bar:
    """One running progress bar."""

    def __init__(self, progress: Progress, task: int) -> None:
        self._progress = progress
        self._task = task

    def advance(self, steps: float = 1, *, note: str = "") -> None:
        """Count ``steps`` more as done; ``note`` stands behind the bar (e.g. the loss)."""
        self._progress.update(self._task, advance=steps, note=note)  # type: ignore[arg-type]


@contextmanager
def progress(title: str, *, total: float | None, done: float = 0, shown: bool = True) -> Iterator[Bar]:
    """Show a bar with count, elapsed and remaining time on standard error while the block runs.

    An error takes the bar away. Where standard error is no terminal there is none; work of more than two seconds leaves
    one line for the log when it is done.

    Args:
        title: What is going on, e.g. ``"train"``.
        total: How many steps there are; None when unknown.
        done: How many of them were done before (a resumed stage).
        shown: False keeps the bar to itself: one of several processes shows it.
    """
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    drawn = shown and (err.is_jupyter or (err.is_terminal and not err.is_dumb_terminal))
    bars = Progress(*columns, console=err, refresh_per_second=4)
    bar = Bar(bars, bars.add_task(title, total=total, completed=int(done), note=""))
    if drawn:
        bars.start()
    try:
        yield bar
    except Exception:
        bars.live.transient = True
        raise
    finally:
        if drawn:
            bars.stop()
    if shown and not drawn:
        _print_line(bars)


def _print_line(bars: Progress) -> None:
    task = bars.tasks[0]
    seconds = task.elapsed or 0.0
    if seconds < _WORTH_A_LINE:
        return
    steps = f"{task.completed:.0f}" + ("" if task.total is None else f"/{task.total:.0f}")
    note = f", {task.fields['note']}" if task.fields["note"] else ""
    line = f"{task.description}: {steps} in {timedelta(seconds=int(seconds))}{note}"
    err.print(line, soft_wrap=True, markup=False)
