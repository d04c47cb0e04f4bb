"""Builds ``report.html`` of a sweep: reads score files and states, fills the template."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from psis_bench.errors import UserError
from psis_bench.report.template_environment import template_environment
from psis_bench.sweep.assemble import Entry, find_entries
from psis_bench.sweep.matrix import PROBE
from psis_bench.sweep.report.cells import LEVELS, colours, level, numbers
from psis_bench.sweep.report.matrices import View, scores_of, views
from psis_bench.sweep.states import JobStatus, State, counts
from psis_bench.sweep.table import duration

if TYPE_CHECKING:
    from markupsafe import Markup

REPORT: Final = "report.html"
"""In the folder of a sweep."""
SCORES: Final = (
    ("gt_box_miou.unseen", "GT-box mIoU unseen"),
    ("gt_box_miou.seen", "GT-box mIoU seen"),
    ("gt_box_miou.all", "GT-box mIoU all"),
    ("mask_AP.unseen", "mask AP unseen"),
    ("mask_AP.seen", "mask AP seen"),
    ("mask_AP.all", "mask AP all"),
)
_MOST_BARS = 100
_OUR_TEMPLATES = Path(__file__).parent / "templates"
_REPORT_TEMPLATES = Path(__file__).parent.parent.parent / "report" / "templates"


def build_sweep_report(folder: Path, statuses: Sequence[JobStatus], *, now: datetime | None = None) -> Path:
    """Write the page of a sweep as it is now.

    Args:
        folder: The folder of the sweep.
        statuses: Its jobs.
        now: What the page gives as its time; None: the clock's.

    Returns:
        Path of ``report.html``: one file that opens no connection; it links to the reports of the runs beside it.

    Raises:
        UserError: The folder holds no sweep.
    """
    from psis_bench.files import write_text

    entries = find_entries([folder])
    shown, problems = views(entries)
    target = folder / REPORT
    write_text(target, _render(folder, statuses, entries, shown, problems, now=now or datetime.now(UTC)))
    return target


def _render(
    folder: Path,
    statuses: Sequence[JobStatus],
    entries: Sequence[Entry],
    shown: Sequence[View],
    problems: Sequence[str],
    *,
    now: datetime,
) -> str:
    from psis_bench.report.page import percent

    environment = template_environment(_OUR_TEMPLATES)
    environment.filters.update(percent=percent, duration=duration)
    environment.globals.update(level=level)
    found = counts(statuses)
    listed = {status.job.folder.name for status in statuses}
    rows = [_job(status, folder) for status in statuses]
    return environment.get_template("sweep.html.j2").render(
        name=folder.resolve().name,
        moment=now.strftime("%Y-%m-%d %H:%M UTC"),
        command=_command(folder),
        counts={str(state): found[state] for state in State},
        total=len(statuses),
        facts=_facts(entries, shown),
        problems=problems,
        probe=any(matrix.protocol == PROBE for view in shown for matrix in view.matrices.values()),
        views=[_of_view(view, place, _told(statuses)) for place, view in enumerate(shown)],
        keys=list(statuses[0].job.settings) if statuses else [],
        columns=[(key, title) for key, title in SCORES if any(row["scores"].get(key) is not None for row in rows)],
        jobs=rows,
        further=sum(entry.folder.name not in listed for entry in entries),
        stylesheet=_shipped(_REPORT_TEMPLATES / "report.css", _OUR_TEMPLATES / "sweep.css"),
        colours=colours(),
        script=_shipped(_REPORT_TEMPLATES / "sort_table.js", _OUR_TEMPLATES / "matrix.js"),
    )


def _command(folder: Path) -> str:
    """Return the command that continues the sweep, as it was last given."""
    try:
        plan: dict[str, Any] = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError("holds no sweep", where=str(folder), cure="give the folder of a sweep") from error
    words = [*plan["arguments"]]
    if plan.get("probe"):
        words += ["probe=true", *(f"probe.{key}={str(value).lower()}" for key, value in plan["probe"].items())]
    elif plan.get("until", "report") != "report":
        words.append(f"until={plan['until']}")
    return " ".join(["psis-bench sweep", *(shlex.quote(str(word)) for word in [*words, f"out={folder}"])])


def _facts(entries: Sequence[Entry], shown: Sequence[View]) -> list[tuple[str, str]]:
    """Return what the runs have in common, as pairs of a name and a text."""
    facts = []
    names = {"model": "model", "mask_head": "mask head", "data.name": "data", "schedule": "schedule"}
    for key, title in {**names, "iterations": "iterations"}.items():
        values = list(dict.fromkeys(str(entry.settings.get(key)) for entry in entries))
        if values != ["None"]:
            facts.append((title, ", ".join("the model's own" if value == "None" else value for value in values[:6])))
    facts.append(("splits", str(len({entry.split for entry in entries}))))
    facts.append(("seeds", ", ".join(str(seed) for seed in sorted({entry.seed for entry in entries})[:12])))
    if shown:
        facts.append(("protocol", shown[0].first.protocol))
    return facts


def _told(statuses: Sequence[JobStatus]) -> dict[str, list[str]]:
    """Return, for each split, what is to be said where a score is missing."""
    told: dict[str, list[str]] = {}
    for status in statuses:
        config = status.job.config
        told.setdefault(config.split, []).append(f"seed {config.seed}: {status.state}")
    return told


def _of_view(view: View, place: int, told: dict[str, list[str]]) -> dict[str, Any]:
    """Return a matrix for the template: its first state as cells, and all its numbers for the script."""
    first = view.first
    metrics = [numbers(matrix) for matrix in view.matrices.values()]
    rows, columns = view.alike
    means, scale = first.mean(), metrics[0]["scale"]
    states = {split.partition("/")[2].replace("_", " ") or split: text for split, text in told.items()}
    return {
        "anchor": f"matrix-{place + 1}",
        "title": view.title,
        "kind": view.rows,
        "size": first.scores.shape,
        "holes": first.holes(),
        "left_out": view.left_out,
        "scale": scale,
        "metric": metrics[0]["name"],
        "several": len(metrics) > 1,
        "reference": first.reference.shape[1],
        "rows": [(row, first.sources[row], [(column, means[row, column]) for column in columns]) for row in rows],
        "columns": [(column, first.targets[column]) for column in columns],
        "seen": first.seen,
        "bars": _bars(view, place),
        "data": {
            "sources": first.sources,
            "targets": first.targets,
            "instances": view.instances,
            "seeds": len(first.seeds),
            "rows": f"{view.rows}s",
            "levels": LEVELS,
            "seen": first.seen.astype(int).tolist(),
            "alike": view.alike,
            "jobs": [", ".join(states.get(name, [])[:12]) for name in first.sources],
            "metrics": metrics,
        },
    }


def _bars(view: View, place: int) -> Markup | None:
    """Return Figure 5a, where there are sources to compare and few enough to be told apart."""
    from psis_bench.figures import style
    from psis_bench.figures.source_bars import plot_source_bars, source_bars_size
    from psis_bench.plots.figure5a import source_table
    from psis_bench.plots.transfer import metric_label
    from psis_bench.report.charts import inline_svg

    table = source_table(view.first)
    if not 2 <= len(table) <= _MOST_BARS or table["mean"].isna().all():
        return None
    with style.themed():
        ax = style.new_axes(*source_bars_size(len(table)))
        plot_source_bars(ax, table, label=f"{metric_label(view.first)}, mean of unseen classes")
        return inline_svg(
            ax, name=f"bars{place}", label=f"Mean over the unseen classes for each {view.rows}, best first"
        )


def _job(status: JobStatus, folder: Path) -> dict[str, Any]:
    """Return a row of the table of jobs."""
    job = status.job

    def address(name: str) -> str | None:
        path = job.folder / name
        if not path.is_file():
            return None
        return quote(str(path.relative_to(folder.resolve())))

    return {
        "id": job.id,
        "settings": [str(value) for value in job.settings.values()],
        "state": str(status.state),
        "detail": status.detail,
        "attempts": status.attempts,
        "seconds": status.seconds,
        "scores": scores_of(job.folder),
        "report": address("report.html"),
        "log": address(".state/log.txt"),
    }


def _shipped(*paths: Path) -> Markup:
    from markupsafe import Markup

    return Markup("".join(path.read_text(encoding="utf-8") for path in paths))  # noqa: S704 - our own files
