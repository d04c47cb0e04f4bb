"""Sample sheets of the synthetic set, to look at.

``python -m psis_bench.data.synthetic.sheet families families.png`` draws the silhouettes of all classes,
``... samples samples.png`` draws twelve images with the outlines of their masks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from psis_bench.data.synthetic.families import FAMILIES
from psis_bench.data.synthetic.parameters import SyntheticParameters
from psis_bench.data.synthetic.raster import silhouette
from psis_bench.data.synthetic.scene import Scene, compose
from psis_bench.files import atomic_path
from psis_bench.splits.categories import NON_VOC_NAMES, VOC_NAMES

_VOC_COLOUR, _OTHER_COLOUR, _INK = (178, 66, 42), (38, 84, 138), (40, 40, 40)
_OUTLINES = (
    (255, 230, 0),
    (255, 0, 200),
    (0, 230, 255),
    (60, 255, 60),
    (255, 140, 0),
    (255, 255, 255),
    (170, 120, 255),
)
_COLUMNS = 10
_SIDE = 64
_CELL = (2 * _SIDE + 14, _SIDE + 24)


def families_sheet() -> Image.Image:
    """Return a sheet with the mean and one random silhouette of each class, VOC classes first."""
    groups = (
        ("20 VOC classes: mean silhouette and a random instance", VOC_NAMES, _VOC_COLOUR),
        ("60 other classes", NON_VOC_NAMES, _OTHER_COLOUR),
    )
    rows = sum(-(-len(names) // _COLUMNS) for _, names, _ in groups)
    sheet = Image.new("RGB", (_COLUMNS * _CELL[0] + 16, rows * _CELL[1] + len(groups) * 28 + 8), "white")
    pen = ImageDraw.Draw(sheet)
    heading, label = ImageFont.load_default(16), ImageFont.load_default(12)
    top = 4
    for title, names, colour in groups:
        pen.text((10, top + 3), title, fill=colour, font=heading)
        top += 28
        for number, name in enumerate(names):
            x, y = 8 + number % _COLUMNS * _CELL[0], top + number // _COLUMNS * _CELL[1]
            rng = np.random.default_rng(sum(name.encode()))
            for index, parts in enumerate((FAMILIES[name].canonical(), FAMILIES[name].instance(rng))):
                shade = tuple(value if index == 0 else (value + 255) // 2 for value in colour)
                sheet.paste(
                    shade, (x + index * (_SIDE + 3), y), Image.fromarray(_antialiased(silhouette(parts, 4 * _SIDE)))
                )
            pen.text((x + 2, y + _SIDE + 3), name, fill=_INK, font=label)
        top += -(-len(names) // _COLUMNS) * _CELL[1]
    return sheet


def samples_sheet(parameters: SyntheticParameters, *, count: int = 12, columns: int = 4, zoom: int = 2) -> Image.Image:
    """Return a sheet with validation images, enlarged, with the outline of every mask."""
    pictures = [_outlined(compose(parameters, subset="val", index=index), zoom) for index in range(count)]
    cell = zoom * round(parameters.size * parameters.aspect**0.5) + 6
    rows = -(-count // columns)
    sheet = np.full((rows * cell, columns * cell, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        y, x = (index // columns) * cell + (cell - height) // 2, (index % columns) * cell + (cell - width) // 2
        sheet[y : y + height, x : x + width] = picture
    return Image.fromarray(sheet)


def _antialiased(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    small = cv2.resize(mask.view(np.uint8) * 255, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _outlined(scene: Scene, zoom: int) -> NDArray[np.uint8]:
    picture = cv2.resize(scene.image[..., ::-1], None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    for index, thing in enumerate(scene.things):
        large = cv2.resize(thing.mask.view(np.uint8), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, _OUTLINES[index % len(_OUTLINES)], 1)
    return np.asarray(picture, np.uint8)


def main() -> None:
    """Draw the sheet named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheet", choices=("families", "samples"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.sheet == "families":
        picture = families_sheet()
    else:
        picture = samples_sheet(SyntheticParameters(seed=arguments.seed))
    with atomic_path(arguments.out) as temporary:
        # 256 colours are enough to look at and keep the file small.
        picture.quantize(256, dither=Image.Dither.NONE).save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main()
