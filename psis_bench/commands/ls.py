"""``psis-bench ls``: splits, models, data, recipes and runs. Imports no torch and runs no configuration."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError, did_you_mean

Rows = list[dict[str, Any]]


def execute(options: argparse.Namespace) -> int:
    """List what is asked for, as a table or as JSON."""
    words = options.arguments
    if not words:
        raise UserError("nothing to list is given", cure=f"choose one of: {', '.join(_LISTINGS)}")
    what, *rest = words
    if what not in _LISTINGS:
        raise UserError(f"cannot list {what!r}", cure=did_you_mean(what, _LISTINGS))
    if rest and (what != "runs" or len(rest) > 1):
        raise UserError(f"ls {what} takes no {rest[-1]!r}", cure=f"psis-bench ls {what}")
    listing = _LISTINGS[what](options, rest)
    if options.json:
        plain = listing if len(listing) > 1 else next(iter(listing.values()))
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
        return 0
    for title, rows in listing.items():
        brief = _BRIEF.get(what)
        _print_table(title, [brief(row) for row in rows] if brief else rows)
    return 0


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    """Put the states of a run's stages into one word, to fit a terminal."""
    from psis_bench.run import Stage
    from psis_bench.scoring.results import extra_masks, probe_mark

    states = {stage: row[stage] for stage in Stage}
    open_stage = next((stage for stage in Stage if states[stage] != "done"), None)
    state = "complete"
    if open_stage is not None:
        state = {"-": f"to {open_stage}", "begun": f"in {open_stage}", "damaged": "damaged"}.get(
            states[open_stage], f"in train ({states[open_stage]})"
        )
    if row["probe"]:  # its mask head has no training of its own
        state = probe_mark.MARK
    if row["extra_masks"]:
        state = f"{state}, {extra_masks.MARK}"
    numbers = {key.replace("_", " "): row[key] for key in row if key not in (*Stage, "run", "extra_masks", "probe")}
    return {"run": row["run"], "state": state, **numbers}


def _splits(options: argparse.Namespace, _: Sequence[str]) -> dict[str, Rows]:
    from psis_bench.splits.registry import RANDOM_PATTERN, SINGLE_SOURCE, list_splits

    rows: Rows = []
    single: Rows = []
    for split in list_splits():
        row = {
            "name": split.name,
            "version": split.version,
            "seen": len(split.seen),
            "unseen": "rest" if split.unseen_is_rest else len(split.unseen),
            "description": split.description,
        }
        (single if split.name.startswith(SINGLE_SOURCE) else rows).append(row)
    pattern = {
        "name": f"{SINGLE_SOURCE}<class>",
        "version": 1,
        "seen": 1,
        "unseen": "60 or 20",
        "description": f"One class has masks; unseen are those of the other group ({len(single)} splits, --all).",
    }
    random = {
        "name": RANDOM_PATTERN,
        "version": 1,
        "seen": "n",
        "unseen": "80 - n",
        "description": "n random classes of the 80 have masks.",
    }
    own = {
        "name": "<path>.yaml",
        "version": None,
        "seen": None,
        "unseen": None,
        "description": "A split of your own on any data set: docs/add_a_split.md.",
    }
    return {"splits": [*rows, *(single if options.all else [pattern]), random, own]}


def _models(_: argparse.Namespace, __: Sequence[str]) -> dict[str, Rows]:
    from psis_bench.config_listing import list_configs

    return {
        kind: [{"name": entry.name, "description": entry.description} for entry in list_configs(kind)]
        for kind in ("models", "mask_heads", "schedules")
    }


def _recipes(_: argparse.Namespace, __: Sequence[str]) -> dict[str, Rows]:
    from psis_bench.recipes import list_recipes

    return {
        "recipes": [
            {
                "name": recipe.name,
                "paper": recipe.paper,
                "model": recipe.run["model"],
                "mask_head": recipe.run.get("mask_head"),
                "needs": recipe.missing(),
            }
            for recipe in list_recipes()
        ]
    }


def _brief_recipe(row: dict[str, Any]) -> dict[str, Any]:
    """Leave the number of unseen classes (of all, where there are none) and the first thing that is missing."""
    metric, word = ("gt_box_miou", "mIoU") if "gt_box_miou" in row["paper"] else ("mask_ap", "AP")
    groups = row["paper"].get(metric, {})
    number = groups.get("unseen", groups.get("all"))
    head = f", {row['mask_head']}" if row["mask_head"] else ""
    first = next(iter(row["needs"]), None)
    lacks = f" (needs {first.partition(':')[0]})" if first else ""
    if first == f"model {row['model']}":
        lacks = " (to come)"
    return {
        "name": row["name"],
        "paper": "-" if number is None else f"{word} {100 * number:.1f}",
        "model": row["model"] + head + lacks,
    }


def _data(_: argparse.Namespace, __: Sequence[str]) -> dict[str, Rows]:
    from psis_bench.data.dataset_config import list_datasets

    return {
        "data": [
            {
                "name": item.name,
                "found": item.found,
                "where": str(item.root) if item.found and item.root else item.note,
                "description": item.description,
            }
            for item in list_datasets()
        ]
    }


def _runs(_: argparse.Namespace, rest: Sequence[str]) -> dict[str, Rows]:
    from psis_bench.commands.run_listing import list_runs

    folder = Path(rest[0].removeprefix("out=") if rest else "runs")
    if rest and not folder.is_dir():
        raise UserError("no such folder", where=str(folder), cure="give the folder that holds the runs")
    return {"runs": list_runs(folder)}


_LISTINGS: dict[str, Callable[[argparse.Namespace, Sequence[str]], dict[str, Rows]]] = {
    "splits": _splits,
    "models": _models,
    "data": _data,
    "recipes": _recipes,
    "runs": _runs,
}
_BRIEF: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"runs": _brief, "recipes": _brief_recipe}


def _print_table(title: str, rows: Rows) -> None:
    from rich import box
    from rich.table import Table

    from psis_bench import console

    if not rows:
        console.out.print(f"no {title.replace('_', ' ')}" + (" yet: psis-bench run" if title == "runs" else ""))
        return
    table = Table(title=title.replace("_", " "), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in rows[0]:
        numbers = column not in ("name", "run", "state", "description", "where", "model")
        whole = column == "name"
        table.add_column(
            column.replace("_", " "), justify="right" if numbers else "left", overflow="fold", no_wrap=whole
        )
    for row in rows:
        table.add_row(*(_shown(column, value) for column, value in row.items()))
    console.out.print(table)


def _shown(column: str, value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{100 * value:.1f}"
    return escape(str(value))
