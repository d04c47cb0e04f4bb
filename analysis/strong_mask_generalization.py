"""The strong mask generalization effect: mask heads that are alike on seen classes differ on unseen ones.

Paper section 6 and Table 4, detection-free, VOC masks only, GT-box mIoU of unseen classes: ResNet-4 62.1,
Hourglass-20 77.8 (COCO, 512 x 512). Here: the same two trunks, small, on the synthetic set or on your own data.

    python analysis/strong_mask_generalization.py
    python analysis/strong_mask_generalization.py data=coco_mini.yaml model=detection_free/efficientnet_lite0

Every ``key=value`` of ``psis-bench run`` may be given, and ``heads=a,b``, ``seeds=0,1,2`` and ``out=FOLDER``. Runs that
are done are not run again, so the same command also continues, and several may share the work by their seeds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd

from psis_bench.cli import guarded
from psis_bench.config import resolve_config
from psis_bench.console import out as terminal
from psis_bench.figures import style
from psis_bench.figures.seen_vs_unseen import plot_mask_generalization
from psis_bench.files import write_text
from psis_bench.pipeline import run_stages
from psis_bench.run import RunDirectory, Stage
from psis_bench.scoring.comparing.intervals import mean_interval

GROUPS = ("seen", "unseen")
DEFAULTS = {"heads": "resnet4,hourglass20", "seeds": "0,1,2", "out": "runs/analysis/strong_mask_generalization"}


def run_scores(arguments: list[str], head: str, seed: str) -> dict[str, dict[str, dict[str, float]]]:
    """Run one head with one seed, unless that is done, and return the groups of its ``scores.json``."""
    config = resolve_config([*arguments, f"mask_head={head}", f"seed={seed}"])
    run_stages(config, list(Stage))
    groups: dict[str, dict[str, dict[str, float]]] = json.loads(RunDirectory.of(config).scores.read_text())["groups"]
    return groups


def collect(arguments: list[str], heads: list[str], seeds: list[str]) -> pd.DataFrame:
    """Return one row a head, seed and group: ``head, seed, group, miou, instance_miou, full_box, ellipse``."""
    rows = []
    for seed in seeds:
        for head in heads:
            groups = run_scores(arguments, head, seed)
            for group in GROUPS:
                scores = groups[group]
                rows.append(
                    {
                        "head": head,
                        "seed": int(seed),
                        "group": group,
                        "miou": scores["gt_box_miou"]["class_mean"],
                        "instance_miou": scores["gt_box_miou"]["instance_mean"],
                        "full_box": scores["full_box"]["class_mean"],
                        "ellipse": scores["ellipse"]["class_mean"],
                    }
                )
    return pd.DataFrame(rows)


def summarise(scores: pd.DataFrame, column: str = "miou") -> pd.DataFrame:
    """Return ``head, group, mean, low, high`` over seeds, the trivial rows first."""
    rows = []
    for group, of_group in scores.groupby("group", sort=False):
        rows += [
            {"head": name.replace("_", " "), "group": group, "mean": of_group[name].iloc[0]}
            for name in ("full_box", "ellipse")
        ]
        for head, of_head in of_group.groupby("head", sort=False):
            rows.append({"head": head, "group": group, **mean_interval(list(of_head[column]))._asdict()})
    return pd.DataFrame(rows, columns=["head", "group", "mean", "low", "high"])


def differences(scores: pd.DataFrame) -> pd.DataFrame:
    """Return ``head, group, mean, low, high`` of the last head minus the first, paired by seed."""
    table = scores.pivot_table(index=["group", "seed"], columns="head", values="miou", sort=False)
    first, last = scores["head"].iloc[0], scores["head"].unique()[-1]
    gaps = (table[last] - table[first]).groupby("group", sort=False)
    name = f"{last} minus {first}"
    return pd.DataFrame([{"head": name, "group": group, **mean_interval(list(gap))._asdict()} for group, gap in gaps])


def as_markdown(summary: pd.DataFrame, gaps: pd.DataFrame) -> str:
    """Return the summary as a table, times 100, one row a head."""

    def cell(row: pd.Series) -> str:
        interval = "" if pd.isna(row["low"]) else f" [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
        return f"{100 * row['mean']:.1f}{interval}"

    lines = ["| mask head | seen | unseen |", "| --- | --- | --- |"]
    rows = pd.concat([summary, gaps])
    for head in rows["head"].unique():
        of_head = rows[rows["head"] == head].set_index("group")
        lines.append(f"| {head} | {cell(of_head.loc['seen'])} | {cell(of_head.loc['unseen'])} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Run what is missing, then print the table and write table and figure; return the exit code."""
    own = {**DEFAULTS, **dict(a.split("=", 1) for a in arguments if a.split("=", 1)[0] in DEFAULTS)}
    passed = [a for a in arguments if a.split("=", 1)[0] not in DEFAULTS]
    if not any(a.startswith("split=") for a in passed):
        passed.append("split=voc2nonvoc")
    scores = collect(passed, own["heads"].split(","), own["seeds"].split(","))
    summary = summarise(scores)
    folder = Path(own["out"])
    text = as_markdown(summary, differences(scores))
    write_text(folder / "per_run.csv", scores.to_csv(index=False))
    write_text(folder / "table.md", text)
    with style.themed():
        axes = plot_mask_generalization(style.new_axes(4.5, 3.2), summary)
        for suffix in ("pdf", "png"):
            style.save(axes, folder / f"figure.{suffix}")
    terminal.print(text, markup=False)
    terminal.print(f"written to {folder}", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1:])))
