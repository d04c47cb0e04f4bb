"""Figure 6: masks in boxes that a user drew, as ``psis-bench predict image=... boxes=...`` has segmented them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.plots.request import Made, Request, save_figure


def make(request: Request) -> Made:
    """Draw the images of one or more folders of masks in a grid."""
    from psis_bench.figures import style
    from psis_bench.figures.picture_grid import Tile, grid_size, plot_picture_grid
    from psis_bench.report.thumbnails import read_picture, shrunk

    request.need_paths("psis-bench plot figure6 masks")
    tiles = []
    for folder in request.paths:
        for path, count in overlays(folder):
            picture = read_picture(path)
            if picture is None:
                raise UserError("the image cannot be decoded", where=str(path), cure="predict again")
            name = path.name.removesuffix("-overlay.jpg")
            tiles.append(Tile(shrunk(picture, longest=900), f"{name}: {count} box{'es' * (count != 1)}"))
    width = request.whole("columns", 3)
    rows = [tiles[begin : begin + width] for begin in range(0, len(tiles), width)]
    with style.themed():
        ax = style.new_axes(*grid_size(len(rows), min(width, len(tiles)), inches=2.3))
        files = save_figure(request, plot_picture_grid(ax, rows))
    return Made(files=files, lines=[f"{len(tiles)} image{'s' * (len(tiles) != 1)}"])


def overlays(folder: Path) -> list[tuple[Path, int]]:
    """Return the drawn images of a folder of masks, with the number of boxes of each, in the order of ``masks.json``.

    Raises:
        UserError: The folder is none, or is not finished.
    """
    path = folder / "masks.json"
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        counts: dict[int, int] = {}
        for annotation in content["annotations"]:
            counts[annotation["image_id"]] = counts.get(annotation["image_id"], 0) + 1
        drawn = [(folder / image["overlay_file"], counts.get(image["id"], 0)) for image in content["images"]]
    except FileNotFoundError:
        raise UserError(
            "no masks are there", where=str(folder), cure="make them: psis-bench predict image=... boxes=... run=..."
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError("damaged", where=str(path), cure="predict again into another folder") from None
    missing = next((path for path, _ in drawn if not path.is_file()), None)
    if missing is not None:
        raise UserError("no such image", where=str(missing), cure="predict again into another folder")
    return drawn
