"""Figure 7 and appendix E: how carefully a class is annotated, from its crudest masks to its most careful ones."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.errors import UserError
from psis_bench.plots.request import Made, Request, per_cent, save_figure

if TYPE_CHECKING:
    import pandas as pd

    from psis_bench.data.coco_format import CocoFile
    from psis_bench.figures.picture_grid import Tile

CLASSES = ("bicycle", "dining table", "potted plant")
"""The paper's three worst source classes."""
LEAST_SIDE = 64
"""Square root of a mask's area, in pixels: smaller ones have few corners because they are small."""
_PLACES = (0.05, 0.2, 0.5, 0.8, 0.95)


def make(request: Request) -> Made:
    """Draw masks of each class from crude to careful, and write the facts of every mask."""
    from psis_bench.data.coco_format import read_coco
    from psis_bench.data.dataset_config import get_dataset
    from psis_bench.figures import style
    from psis_bench.figures.picture_grid import grid_size, plot_picture_grid
    from psis_bench.files import write_text
    from psis_bench.scoring.masks.annotation_quality import class_summary, quality_table, with_care

    if request.paths:
        raise UserError("figure7 is drawn from a data set, not from runs", cure=f"leave {request.paths[0]} out")
    dataset = get_dataset(request.values.get("data", "synthetic"), root=request.values.get("data.root"))
    subset = dataset.parts().get(request.choice("part", ("train", "val"), "val"))
    if subset is None:
        raise UserError(f"the data set '{dataset.name}' has no training part", cure="use part=val")
    coco = read_coco(subset.annotations, on_bad_boxes=dataset.on_bad_boxes)
    table = quality_table(coco.images, coco.annotations, coco.categories)
    least = request.whole("least", LEAST_SIDE)
    large = with_care(table[table["area"] >= least**2])
    table = table.join(large["care"])
    classes = _classes(request, {str(category["name"]) for category in coco.categories})
    tiles = {name: _row(large[large["name"] == name], coco, subset.images) for name in classes}
    tiles = {name: row for name, row in tiles.items() if row}
    rows = list(tiles.values())
    if not rows:
        raise UserError(
            f"no mask of {', '.join(classes)} has {least} x {least} pixels",
            cure=f"give least={max(1, least // 2)} or less, other classes=, or another data=",
        )
    summary = class_summary(table)
    with style.themed():
        ax = style.new_axes(*grid_size(len(rows), max(len(row) for row in rows)))
        plot_picture_grid(ax, rows, names=list(tiles), columns=["crude \u2192 careful"])
        files = save_figure(request, ax, table)
    write_text(request.out / "figure7_classes.csv", summary.to_csv(index=False, lineterminator="\n"))
    files.append(request.out / "figure7_classes.csv")
    lines = _lines(summary, classes)
    if "other" in request.values:
        other_files, other_lines = _head_room(request, coco)
        files, lines = [*files, *other_files], [*lines, *other_lines]
    return Made(files=files, lines=lines)


def _classes(request: Request, known: set[str]) -> list[str]:
    from psis_bench.errors import did_you_mean

    wanted = [name.replace("_", " ") for name in request.listed("classes") or CLASSES]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UserError(f"there is no class {unknown[0]!r}", cure=did_you_mean(unknown[0], sorted(known)))
    return wanted


def _row(table: pd.DataFrame, coco: CocoFile, images: Path) -> list[Tile]:
    """Return the tiles of a class: at five places in the order of care."""
    ordered = table.sort_values("care", kind="stable")
    places = list(dict.fromkeys(int(share * len(ordered)) for share in _PLACES)) if len(ordered) else []
    return [_tile(record, coco, images) for record in ordered.iloc[places].to_dict("records")]


def _tile(record: Any, coco: CocoFile, images: Path) -> Tile:
    from psis_bench.figures import style
    from psis_bench.figures.picture_grid import Tile
    from psis_bench.report import thumbnails
    from psis_bench.report.pictures import decode_rle
    from psis_bench.rle import segmentation_to_rle

    annotation = next(item for item in coco.annotations if item["id"] == record["annotation_id"])
    image = next(item for item in coco.images if item["id"] == record["image_id"])
    height, width = int(image["height"]), int(image["width"])
    path = images / str(image["file_name"])
    picture = thumbnails.read_picture(path)
    if picture is None:
        raise UserError("no such image", where=str(path), cure="restore the file, or correct the images folder")
    window = thumbnails.window_around(tuple(annotation["bbox"]), height=height, width=width)
    mask = thumbnails.cut_mask(decode_rle(segmentation_to_rle(annotation["segmentation"], height, width)), window)
    colour = style.rgb(style.group_style("seen").colour)
    drawn = thumbnails.draw_fill(thumbnails.cut(picture, window), mask, colour, strength=0.35)
    return Tile(thumbnails.draw_outline(drawn, mask), _facts(record))


def _facts(record: Any) -> str:
    """Return what orders the masks of a class, as in ``5.0 corners/100 px`` and below it ``2 parts, 1 hole``."""
    parts, holes = int(record["polygons"]), int(record["holes"])
    counts = [f"{parts} part{'s' * (parts != 1)}", f"{holes} hole{'s' * (holes != 1)}"]
    lines = [] if math.isnan(record["detail"]) else [f"{record['detail']:.1f} corners/100 px"]
    return "\n".join([*lines, ", ".join(counts[: 2 if holes else 1])])


def _lines(summary: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    lines = [
        "masks of a class stand by their mean rank in it: corners for each 100 pixels of outline, parts, holes",
        "corners for each 100 pixels of outline, median of a class; the crudest classes first:",
    ]
    places = {name: place for place, name in enumerate(summary["name"], start=1)}
    for record in summary[summary["name"].isin(list(classes))].to_dict("records"):
        several, holes = per_cent(record["several_polygons"]), per_cent(record["with_holes"])
        place = f"{record['median_detail']:.1f} (place {places[record['name']]} of {len(summary)})"
        lines.append(
            f"  {record['name']}: {'run lengths' if math.isnan(record['median_detail']) else place}, "
            f"{several} % in several polygons, {holes} % with holes"
        )
    return lines


def _check_sizes(coco: CocoFile, others: Sequence[Any], path: Path) -> None:
    """Refuse masks of the same image at another size, which would seem to be of other objects.

    Raises:
        UserError: There are.
    """
    sizes = {image["id"]: (image["width"], image["height"]) for image in coco.images}
    for image in others:
        size, other = sizes.get(image["id"]), (image["width"], image["height"])
        if size not in (None, other):
            raise UserError(
                f"image {image['id']} is {other[0]} x {other[1]} pixels, in {coco.path} it is {size[0]} x {size[1]}",
                where=str(path),
                cure="give annotations of the images at the same size",
            )


def _head_room(request: Request, coco: CocoFile) -> tuple[list[Path], list[str]]:
    """Compare with a second annotation file of the same images."""
    from psis_bench.files import write_text
    from psis_bench.scoring.masks.mutual_iou import mutual_iou

    path = Path(request.values["other"]).expanduser()
    try:
        other = json.loads(path.read_text(encoding="utf-8"))
        _check_sizes(coco, other["images"], path)
        ours = {"images": coco.images, "annotations": coco.annotations, "categories": coco.categories}
        table = mutual_iou(ours, other)
    except FileNotFoundError:
        raise UserError(
            "no such file", where=str(path), cure="give the path of an annotation file with other="
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"not an annotation file: {error}", where=str(path)) from None
    if table.empty:
        raise UserError("has no object of these images", where=str(path), cure="give annotations of the same images")
    by_class = table.groupby("first_name", sort=False)["mask_iou"].agg(["mean", "size"]).reset_index()
    out = request.out / "figure7_mutual_iou.csv"
    write_text(out, table.to_csv(index=False, lineterminator="\n"))
    return [out], [
        f"mask IoU of {len(table)} objects that both files have: {per_cent(float(by_class['mean'].mean()))} (mean of "
        f"{len(by_class)} classes), {per_cent(float(table['mask_iou'].mean()))} (mean of objects)"
    ]
