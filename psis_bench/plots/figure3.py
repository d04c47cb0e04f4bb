"""Figure 3: seen against unseen classes, by depth and family of the mask head."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from psis_bench.errors import UserError
from psis_bench.plots.measured import NAMES, Measured, read_measured
from psis_bench.plots.request import Made, Request, save_figure
from psis_bench.scoring.results.probe_mark import NOTE
from psis_bench.sweep.matrix import FULL, PROBE

if TYPE_CHECKING:
    import pandas as pd

FAMILIES = {
    "resnet": "ResNet",
    "hourglass": "Hourglass",
    "resnet_bottleneck": "ResNet bottleneck",
    "resnet_bottleneck_quarter": "ResNet bottleneck, 1/4",
    "fully_connected": "fully connected",
    "conv": "convolutions",
}
_NAME = re.compile(r"([a-z_]+?)(\d+)")


def make(request: Request) -> Made:
    """Draw the figure."""
    from psis_bench.figures import style
    from psis_bench.figures.depth_curves import plot_depth_curves

    request.need_paths("psis-bench plot figure3 runs/sweeps/heads")
    measured = read_measured(request.paths)
    metric = request.choice("metric", ("mask_ap", "gt_box_miou", "box_ap"), metric_of(measured))
    table, notes = depth_table(measured, metric)
    with style.themed():
        label = f"{NAMES[metric]} (probe)" if measured[0].is_probe else NAMES[metric]
        ax = plot_depth_curves(style.new_axes(6.2, 3.4), table, label=label)
        files = save_figure(request, ax, table)
    return Made(files=files, lines=notes)


def metric_of(measured: Sequence[Measured]) -> str:
    """Return mask AP where runs have a detector, and GT-box mIoU otherwise."""
    return "mask_ap" if any(runs.values("mask_ap", "unseen") for runs in measured) else "gt_box_miou"


def family_of(mask_head: str | None) -> tuple[str, int] | None:
    """Return family and depth of a mask head by its name; None when the name is of no family of the figure."""
    match = _NAME.fullmatch(mask_head or "")
    if match is None or match[1] not in FAMILIES:
        return None
    return FAMILIES[match[1]], int(match[2])


def depth_table(measured: Sequence[Measured], metric: str) -> tuple[pd.DataFrame, list[str]]:
    """Return ``family, depth, group, mean, low, high, seeds, mask_head, protocol``, and what was left out.

    Raises:
        UserError: Nothing is left, or runs differ in more than mask head and seed.
    """
    import pandas as pd

    rows, notes = [], []
    _check_one_setting(measured)
    for runs in measured:
        family = family_of(runs.mask_head)
        if family is None:
            notes.append(f"left out: {runs.mask_head}, which has no depth in its name")
            continue
        for group in ("unseen", "seen"):
            interval = runs.interval(metric, group)
            if interval is not None:
                rows.append(
                    {
                        "family": family[0],
                        "depth": family[1],
                        "group": group,
                        **interval._asdict(),
                        "seeds": len(runs.values(metric, group)),
                        "mask_head": runs.mask_head,
                        "protocol": PROBE if runs.is_probe else FULL,
                    }
                )
    if not rows:
        raise UserError(f"no run has {NAMES[metric]} of a mask head of a known family", cure="choose another metric=")
    order = list(FAMILIES.values())
    table = pd.DataFrame(rows)
    table["place"] = table["family"].map(order.index)
    table = table.sort_values(["place", "depth", "group"], kind="stable").drop(columns="place").reset_index(drop=True)
    if measured[0].is_probe:
        notes.append(NOTE)
    return table, notes


def _check_one_setting(measured: Sequence[Measured]) -> None:
    """Refuse runs that differ in more than mask head and seed.

    Raises:
        UserError: They do; names the keys.
    """
    keys = {"split": "split", "model": "model", "data": "data", "crop_source": "crop_source"}
    keys |= {"iterations": "iterations", "is_probe": "probe"}
    for name, key in keys.items():
        values = list(dict.fromkeys(str(getattr(runs, name)).lower() for runs in measured))
        if len(values) > 1:
            more = f" and {len(values) - 2} more" if len(values) > 2 else ""
            raise UserError(
                f"the runs differ in more than their mask head: {key} is {values[0]}, {values[1]}{more}",
                cure="give those of one setting",
            )
