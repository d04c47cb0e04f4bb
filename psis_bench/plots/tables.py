"""Tables 1 to 13: the paper's numbers, and the measured ones beside them, as Markdown, LaTeX and CSV.

The rows are the recipes (``configs/recipes/table<N>/``), which hold the paper's numbers. A run stands in the row whose
split, mask head, crop source and overrides it has; where several rows have the same, its model decides. What it was
measured with is written beside it: another model, other images, or probe mode, is not the paper's setting.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psis_bench.errors import UserError
from psis_bench.files import write_text
from psis_bench.plots.measured import METRICS, NAMES, Measured, read_measured
from psis_bench.plots.request import Made, Request, per_cent
from psis_bench.recipes import GROUPS, Recipe, recipe_names
from psis_bench.scoring.comparing.intervals import MeanInterval
from psis_bench.sweep.matrix import FULL, PROBE

if TYPE_CHECKING:
    import pandas as pd

_ORDER = {
    "table1": "r50_proposals r50_gt r101_proposals r101_gt",
    "table2": "default_proposals default resnet4_proposals resnet4 hg20_proposals hg20 hg52_proposals hg52",
    "table3": "r101_resnet4 r101_hg10 r101_hg20 hg104_resnet4 hg104_hg10 hg104_hg20",
    "table4": "resnet4 hg20 hg52",
    "table5": "resnet20 hg20 hg20_no_lrs hg20_no_ed",
    "table7": "hg52_hg52 hg104_resnet4",
    "table8": "mask_rcnn mask_grabcut mask_x_rcnn shapemask cpmask deep_mac deep_marc mask_rcnn_to_voc "
    "mask_grabcut_to_voc mask_x_rcnn_to_voc shapemask_to_voc cpmask_to_voc deep_mac_to_voc deep_marc_to_voc",
    "table10": "resnet20_none resnet20_instance resnet20_coordinates resnet20_both hg20_none hg20_instance "
    "hg20_coordinates hg20_both",
    "table12": "specific agnostic_proposals agnostic_gt",
}
"""The paper's order of the rows, where it is not that of their names."""
_MILLISECONDS = "ms_per_image"
_MOST_NOTES = 5
_PUBLISHED = {
    "box_AP": "box_ap",
    "mask_AP": "mask_ap",
    "mask_AP50": "mask_ap50",
    "mask_AP75": "mask_ap75",
    "mask_APs": "mask_ap_small",
    "mask_APm": "mask_ap_medium",
    "mask_APl": "mask_ap_large",
    "gt_box_miou": "gt_box_miou",
}
_LATEX = {
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}


@dataclass(frozen=True)
class Column:
    """A number of the paper's: its metric, or ``ms_per_image``, and group of classes."""

    metric: str
    group: str

    @property
    def title(self) -> str:
        """E.g. ``mask AP unseen``."""
        return "ms per image" if self.metric == _MILLISECONDS else f"{NAMES[self.metric]} {self.group}"

    def shown(self, value: float | None) -> str:
        """Return a number as it is printed; ``-`` for none."""
        if value is None:
            return "-"
        return f"{value:g}" if self.metric == _MILLISECONDS else per_cent(value)


def make(request: Request) -> Made:
    """Write the table in three formats."""
    recipes = table_recipes(request.name)
    measured = read_measured(request.paths) if request.paths else []
    columns = columns_of(recipes)
    rows, notes = fill(recipes, measured)
    frame = long_table(rows, columns)
    texts = {
        "md": as_markdown(rows, columns, title=_title(request.name)),
        "tex": as_latex(rows, columns),
        "csv": frame.to_csv(index=False, lineterminator="\n"),
    }
    files = [request.out / f"{request.name}.{suffix}" for suffix in texts]
    for path, text in zip(files, texts.values(), strict=True):
        write_text(path, text)
    if any(column.metric == _MILLISECONDS for column in columns):
        notes.append("ms per image: the paper's are of a V100; of a run here: psis-bench time run=RUN")
    return Made(files=files, lines=[*texts["md"].splitlines(), *notes])


def table_recipes(name: str) -> list[Recipe]:
    """Return the recipes of a table, in their order.

    Raises:
        UserError: There are none.
    """
    from psis_bench.recipes import read_recipe

    names = [recipe for recipe in recipe_names() if recipe.startswith(f"{name}/")]
    order = [f"{name}/{row}" for row in _ORDER.get(name, "").split()]
    names.sort(key=lambda recipe: order.index(recipe) if recipe in order else len(order))
    return [read_recipe(recipe) for recipe in names] or _published(name)


def _published(name: str) -> list[Recipe]:
    """Return the rows of a table that no recipe trains, as the file of published numbers has them."""
    from psis_bench.config import configs_dir
    from psis_bench.yaml_file import read_mapping

    path = configs_dir().parent / f"model_zoo/published/birodkar2021/table{int(name.removeprefix('table')):02d}.yaml"
    if not path.is_file():
        raise UserError(f"{name} has no recipes, and its numbers are not here", cure="use a checkout of the project")
    content = read_mapping(path, what="published table")
    return [
        Recipe(
            name=f"{name}/{place}",
            path=path,
            where=str(row["row"]),
            run={"split": str(row["split"]).partition("@")[0], "data": content["data"], "model": str(row["model"])},
            paper={_PUBLISHED[key]: value for key, value in row["metrics"].items() if key in _PUBLISHED},
            setting={},
            command="",
            unverified=(),
            needs=("a training of its own",),
        )
        for place, row in enumerate(content["rows"])
    ]


def columns_of(recipes: Sequence[Recipe]) -> list[Column]:
    """Return the numbers that the paper gives in one row at least."""
    possible = [Column(metric, group) for metric in METRICS for group in GROUPS] + [Column(_MILLISECONDS, "all")]
    return [column for column in possible if any(_paper(recipe, column) is not None for recipe in recipes)]


def fill(
    recipes: Sequence[Recipe], measured: Sequence[Measured]
) -> tuple[list[tuple[Recipe, Measured | None]], list[str]]:
    """Return each row with the runs that stand in it, and notes on the runs that stand in none.

    A row with runs of several models or data sets is given once for each.
    """
    rows: dict[str, list[Measured]] = {recipe.name: [] for recipe in recipes}
    notes = []
    for runs in measured:
        fitting = [recipe for recipe in recipes if _fits(recipe, runs)]
        exact = [recipe for recipe in fitting if recipe.run["model"] == runs.model]
        most = max((len(_overrides(recipe)) for recipe in exact or fitting), default=0)
        chosen = [recipe for recipe in exact or fitting if len(_overrides(recipe)) == most]
        if len(chosen) == 1:
            rows[chosen[0].name].append(runs)
        else:
            why = "in no row" if not chosen else f"in {len(chosen)} rows, and its model in none"
            notes.append(f"left out: {runs.split}, {runs.label}, which fits {why}")
    if len(notes) > _MOST_NOTES:
        notes = [*notes[:_MOST_NOTES], f"left out: {len(notes) - _MOST_NOTES} more that fit in no row, or in several"]
    filled: list[tuple[Recipe, Measured | None]] = []
    for recipe in recipes:
        filled += [(recipe, runs) for runs in rows[recipe.name]] or [(recipe, None)]
    return filled, notes


def _fits(recipe: Recipe, runs: Measured) -> bool:
    run = recipe.run
    if str(run["split"]) != runs.split:
        return False
    if (" teacher=" in recipe.command) != (runs.teacher is not None):
        return False
    if any(runs.overrides.get(key) != value for key, value in _overrides(recipe).items()):
        return False
    head = run.get("mask_head")
    if (head is not None and head != runs.mask_head) or (head is None and run["model"] != runs.model):
        return False
    source = run.get("crop_source")
    return source is None or runs.crop_source in (source, None if source == "gt" else source)


def _overrides(recipe: Recipe) -> dict[str, Any]:
    return {f"mm.{path}": value for path, value in recipe.run.get("mm", {}).items()}


def _paper(recipe: Recipe, column: Column) -> float | None:
    found = recipe.paper.get(column.metric)
    value = found if column.metric == _MILLISECONDS else (found or {}).get(column.group)
    return None if value is None else float(value)


def long_table(rows: Sequence[tuple[Recipe, Measured | None]], columns: Sequence[Column]) -> pd.DataFrame:
    """Return one row a cell, unrounded.

    Its columns: ``row, metric, group, paper, mean, low, high, seeds, measured_with, protocol``.
    """
    import pandas as pd

    lines = []
    for recipe, runs in rows:
        for column in columns:
            interval = _measured(runs, column)
            mean, low, high = interval or (math.nan,) * 3
            paper = _paper(recipe, column)
            lines.append(
                {
                    "row": row_title(recipe),
                    "metric": column.metric,
                    "group": column.group,
                    "paper": math.nan if paper is None else paper,
                    "mean": mean,
                    "low": low,
                    "high": high,
                    "seeds": len(runs.values(column.metric, column.group)) if runs and interval else 0,
                    "measured_with": runs.label if runs else "",
                    "protocol": "" if runs is None else PROBE if runs.is_probe else FULL,
                }
            )
    return pd.DataFrame(lines)


def row_title(recipe: Recipe) -> str:
    """Return the row's name without the table's."""
    return re.sub(r"^Table \d+,\s*(row\s+)?", "", recipe.where)


def cells(recipe: Recipe, runs: Measured | None, columns: Sequence[Column]) -> list[str]:
    """Return the texts of a row: its name, for each number the paper's and the measured one, and with what."""
    texts = [row_title(recipe)]
    for column in columns:
        texts += [column.shown(_paper(recipe, column)), _shown(runs, column)]
    return [*texts, f"{runs.label} ({len(runs.folders)} seed{'s' * (len(runs.folders) > 1)})" if runs else "-"]


def _measured(runs: Measured | None, column: Column) -> MeanInterval | None:
    """Return what runs have measured; of times, which are of the machine as much, nothing."""
    return None if runs is None or column.metric == _MILLISECONDS else runs.interval(column.metric, column.group)


def _shown(runs: Measured | None, column: Column) -> str:
    interval = _measured(runs, column)
    if interval is None:
        return "-"
    ends = "" if math.isnan(interval.low) else f" [{per_cent(interval.low)}, {per_cent(interval.high)}]"
    return per_cent(interval.mean) + ends


def headings(columns: Sequence[Column]) -> list[str]:
    """Return the titles of the columns of `cells`."""
    return ["", *(f"{column.title}, {word}" for column in columns for word in ("paper", "measured")), "measured with"]


def as_markdown(rows: Sequence[tuple[Recipe, Measured | None]], columns: Sequence[Column], *, title: str) -> str:
    """Return the table as Markdown."""
    head = headings(columns)
    lines = [f"**{title}**", "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for recipe, runs in rows:
        lines.append("| " + " | ".join(text.replace("|", r"\|") for text in cells(recipe, runs, columns)) + " |")
    return "\n".join(lines) + "\n"


def as_latex(rows: Sequence[tuple[Recipe, Measured | None]], columns: Sequence[Column]) -> str:
    """Return the table as a LaTeX ``tabular`` (package booktabs)."""
    head = headings(columns)
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(head) - 2)}l}}", r"\toprule", _latex_line(head), r"\midrule"]
    lines += [_latex_line(cells(recipe, runs, columns)) for recipe, runs in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_line(texts: Sequence[str]) -> str:
    escaped = (text.replace("\\", r"\textbackslash{}") for text in texts)
    return " & ".join("".join(_LATEX.get(letter, letter) for letter in text) for text in escaped) + r" \\"


def _title(name: str) -> str:
    return f"Table {name.removeprefix('table')}: paper and measured, x 100; intervals over seeds at 95 %"
