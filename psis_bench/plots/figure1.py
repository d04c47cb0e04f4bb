"""Figure 1: what several mask heads make of the same objects of unseen classes.

The paper chose its examples. Here none is chosen by eye: of all unseen instances that are large enough, those at evenly
spaced places in the order of the difference between the last run and the first are shown, so that a reader sees where
the last is better, where they are alike, and where it is worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from psis_bench.errors import UserError
from psis_bench.plots.request import Made, Request, per_cent, save_figure

if TYPE_CHECKING:
    import pandas as pd

    from psis_bench.data.coco_format import CocoFile
    from psis_bench.figures.picture_grid import Picture, Tile
    from psis_bench.plots.measured import Measured
    from psis_bench.report.thumbnails import Mask

LEAST_SIDE = 32
"""Square root of the area of a box below which a mask cannot be judged by eye, in pixels."""


@dataclass(frozen=True)
class Shown:
    """A run, and the IoU of each annotation."""

    folder: Path
    measured: Measured
    ious: pd.DataFrame


def make(request: Request) -> Made:
    """Draw the figure."""
    from psis_bench.figures import style
    from psis_bench.figures.picture_grid import grid_size, plot_picture_grid

    request.need_paths("psis-bench plot figure1 runs/voc2nonvoc/*seed0")
    runs = [shown(path) for path in request.paths]
    group = request.choice("group", ("unseen", "seen"), "unseen")
    table = choose([run.ious for run in runs], group=group, count=request.whole("rows", 5))
    coco, images = _data(runs[0].folder)
    rows = [_row(record, runs, coco, images) for record in table.to_dict("records")]
    with style.themed():
        ax = style.new_axes(*grid_size(len(rows), len(runs) + 1))
        names = headings(runs)
        plot_picture_grid(ax, rows, columns=["ground truth", *names])
        files = save_figure(request, ax, table)
    count = len(runs) - 1
    lines = [
        f"{group} instances at even steps of iou_{count} - iou_0, largest first" if count else f"{group} instances"
    ]
    lines += [f"iou_{place}: {run.measured.label}, {run.folder}" for place, run in enumerate(runs)]
    return Made(files=files, lines=lines)


def headings(runs: Sequence[Shown]) -> list[str]:
    """Return what stands over the columns: the mask heads or what else differs between the runs, else their folders."""
    measured = [run.measured for run in runs]
    lines = [
        [run.mask_head or run.model for run in measured],
        [run.model for run in measured],
        [run.split for run in measured],
        [run.crop_source or "its own crops" for run in measured],
        [run.data for run in measured],
        [f"{run.iterations} iterations" if run.iterations else "its own schedule" for run in measured],
    ]
    differing = [line for line in lines if len(set(line)) > 1] or lines[:1]
    marks = [" (probe)" if run.is_probe else "" for run in measured]
    names = ["\n".join(parts) + mark for *parts, mark in zip(*differing, marks, strict=True)]
    if len(set(names)) == len(runs):
        return names
    return [run.folder.resolve().name + mark for run, mark in zip(runs, marks, strict=True)]


def choose(tables: Sequence[pd.DataFrame], *, group: str, count: int) -> pd.DataFrame:
    """Return the instances to show: ``annotation_id, name, difference, iou_0, iou_1, ...``, largest difference first.

    Args:
        tables: Of each run ``annotation_id, name, group, box_area`` (pixels) and ``iou``.
        group: The group of classes to choose from.
        count: How many at most.

    Raises:
        UserError: The runs have no instance of the group in common that is large enough.
    """
    table = tables[0].rename(columns={"iou": "iou_0"})
    for place, further in enumerate(tables[1:], start=1):
        other = further[["annotation_id", "iou"]].rename(columns={"iou": f"iou_{place}"})
        table = table.merge(other, on="annotation_id")
    table = table[(table["group"] == group) & (table["box_area"] >= LEAST_SIDE**2)]
    if table.empty:
        raise UserError(f"the runs share no {group} instance of {LEAST_SIDE} pixels square or more")
    table = table.assign(difference=table[f"iou_{len(tables) - 1}"] - table["iou_0"])
    table = table.sort_values(["difference", "annotation_id"], ascending=[False, True], kind="stable")
    # In the middle of equal parts: the extremes are often faults of the annotation.
    places = [int((place + 0.5) * len(table) / count) for place in range(min(count, len(table)))]
    columns = ["annotation_id", "name", "difference", *(f"iou_{place}" for place in range(len(tables)))]
    return table.iloc[places][columns].reset_index(drop=True)


def shown(path: Path) -> Shown:
    """Read a run.

    Raises:
        UserError: The folder holds several, or none with masks on ground-truth boxes of its data set as it is now.
    """
    import pandas as pd

    from psis_bench.plots.measured import read_measured

    measured = read_measured([path])
    if len(measured) != 1 or len(measured[0].folders) != 1:
        raise UserError("holds several runs", where=str(path), cure="give the folders of single runs, one a column")
    folder = measured[0].folders[0]
    ious = pd.read_parquet(folder / "per_instance.parquet")
    classes = pd.read_csv(folder / "per_class.csv")[["category_id", "name", "group"]]
    table = ious.merge(classes, on="category_id")
    if table["iou"].isna().all():
        raise UserError("has no masks on ground-truth boxes", where=str(folder), cure="give another run")
    coco, _ = _data(folder)
    _check_data(folder, coco)
    areas = {annotation["id"]: math.prod(annotation["bbox"][2:]) for annotation in coco.annotations}
    table["box_area"] = table["annotation_id"].map(areas)
    return Shown(folder, measured[0], table[[*_COLUMNS]])


_COLUMNS = ("annotation_id", "name", "group", "box_area", "iou")


def _check_data(folder: Path, coco: CocoFile) -> None:
    """Refuse a run whose data set has changed since: its masks would lie on other pictures.

    Raises:
        UserError: It has.
    """
    import json

    scored = json.loads((folder / "scores.json").read_text(encoding="utf-8")).get("dataset") or {}
    if scored.get("annotations_sha256") != coco.sha256:
        raise UserError(
            f"was scored with other annotations than {coco.path} has now",
            where=str(folder),
            cure="run it again, or draw runs of today's data set",
        )


def _data(folder: Path) -> tuple[CocoFile, Path]:
    from psis_bench.data.coco_format import read_coco
    from psis_bench.run import RunDirectory

    dataset = RunDirectory.load(folder).dataset
    return read_coco(dataset.val.annotations, on_bad_boxes=dataset.on_bad_boxes), dataset.val.images


def _row(record: Any, runs: Sequence[Shown], coco: CocoFile, images: Path) -> list[Tile]:
    from psis_bench.figures.picture_grid import Tile
    from psis_bench.report import thumbnails
    from psis_bench.report.pictures import decode_rle, read_masks
    from psis_bench.rle import segmentation_to_rle

    identity = int(record["annotation_id"])
    annotation = next(item for item in coco.annotations if item["id"] == identity)
    image = next(item for item in coco.images if item["id"] == annotation["image_id"])
    height, width = int(image["height"]), int(image["width"])
    picture = thumbnails.read_picture(images / str(image["file_name"]))
    if picture is None:
        raise UserError("no such image", where=str(images / str(image["file_name"])), cure="restore the file")
    window = thumbnails.window_around(tuple(annotation["bbox"]), height=height, width=width)
    crop = thumbnails.cut(picture, window)
    truth = decode_rle(segmentation_to_rle(annotation["segmentation"], height, width))
    tiles = [Tile(thumbnails.draw_outline(crop, thumbnails.cut_mask(truth, window)), str(record["name"]))]
    for place, run in enumerate(runs):
        mask = read_masks(run.folder / "predictions" / "gt_box_masks", {identity}).get(identity)
        drawn = thumbnails.in_grey(crop)
        if mask is not None:
            drawn = lit(drawn, thumbnails.cut_mask(decode_rle(mask), window))
        tiles.append(Tile(np.asarray(drawn), f"IoU {per_cent(float(record[f'iou_{place}']))}"))
    return tiles


def lit(picture: Picture, mask: Mask) -> Picture:
    """Return a grey picture with the mask in colour, and so light, on so dark a ground, that it is told without it."""
    from psis_bench.figures import style
    from psis_bench.report import thumbnails

    colour = style.rgb(style.group_style("unseen").colour)
    light = (colour[0] // 2 + 127, colour[1] // 2 + 127, colour[2] // 2 + 127)
    ground = np.where(mask[..., None] > 0, picture, (0.4 * picture).astype(np.uint8))
    return thumbnails.draw_fill(ground, mask, light)
