"""Example pictures: synthetic scenes, larger than those of the synthetic set, with the boxes of their objects.

They are drawn when they are asked for, of a seed that no set has by default, so that no model was trained on them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from psis_bench.data.synthetic import SceneParameters, SyntheticParameters
from psis_bench.demo.boxes import Box
from psis_bench.demo.pictures import Picture
from psis_bench.errors import UserError

_SEED = 20210401
_SIZE = 480
_DEFAULT_SIZE = 160
_LEAST_SHARE = 0.01
# Numbers of the scenes by one of their objects; chosen by eye: several classes, seen and unseen ones.
EXAMPLES: Final[Mapping[str, int]] = {"elephant": 15, "bear": 11, "scissors": 5, "horse": 17}


@dataclass(frozen=True, kw_only=True)
class Example:
    """One example picture.

    Attributes:
        picture: As if it had been uploaded.
        boxes: The boxes of its objects, with their classes as labels.
    """

    picture: Picture
    boxes: list[Box]


@functools.cache
def example(name: str) -> Example:
    """Return an example by its name.

    Raises:
        UserError: There is none of that name.
    """
    if name not in EXAMPLES:
        raise UserError("there is no such example", cure=f"choose one of {', '.join(EXAMPLES)}")
    from psis_bench.data.synthetic.scene import compose, describe

    factor = _SIZE / _DEFAULT_SIZE
    plain = SceneParameters()
    scene = SceneParameters(
        instances_max=6,
        side_min=plain.side_min * 1.8 * factor,
        side_max=plain.side_max * 0.8 * factor,
        area_min=plain.area_min * factor**2,
        overlap=0.3,
        visible_min=0.8,
        inside_min=0.95,
        clutter=plain.clutter / factor**2,
        texture_contrast=0.9,
        camouflage=0.0,
    )
    drawn = compose(SyntheticParameters(seed=_SEED, size=_SIZE, scene=scene), subset="val", index=EXAMPLES[name])
    height, width = drawn.image.shape[:2]
    picture = Picture(name=f"example_{name}", width=width, height=height, pixels=drawn.image)
    boxes: list[Box] = [_box(found) for found in describe(drawn) if found["area"] >= _LEAST_SHARE * height * width]
    return Example(picture=picture, boxes=boxes)


def _box(found: Mapping[str, Any]) -> Box:
    return {"xywh": [float(value) for value in found["bbox"]], "label": found["name"]}
