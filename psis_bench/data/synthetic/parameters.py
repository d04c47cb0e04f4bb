"""What a synthetic set is made from: its size, its seed, and the knobs of its difficulty.

Light on purpose (standard library only): the command line reads the parameters without drawing anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from psis_bench.errors import UserError, did_you_mean
from psis_bench.files import sha256_of_json

_Number = TypeVar("_Number", int, float)

GENERATOR_VERSION = 5
"""Changes with every change of a pixel, so that a cached set is never taken for a newer one."""


def _knob(default: _Number, low: float, high: float) -> _Number:
    """Return a field with a default and the range of what is accepted."""
    knob: _Number = field(default=default, metadata={"range": (low, high)})
    return knob


@dataclass(frozen=True, kw_only=True)
class SceneParameters:
    """How one image is composed: the knobs of difficulty.

    Lengths are pixels of the finished image, strengths are in [0, 1] unless said otherwise.

    Attributes:
        instances_min: Fewest objects that are tried in an image.
        instances_max: Most objects in an image.
        voc_share: Probability that an object is of one of the 20 VOC classes; within VOC and within the other 60 all
            classes are equally likely. The default is that of COCO train2017.
        side_min: Smallest longer side of an object before occlusion; sizes are log-uniform.
        side_max: Largest longer side.
        overlap: Probability that an object is put so that it touches or covers one that is there already.
        same_class: Probability that it is then of that object's class.
        visible_min: Least fraction of an object that stays visible behind others; what would hide more is
            put somewhere else. Pixels outside the image do not count as hidden.
        inside_min: Least fraction of an object that lies inside the image.
        area_min: Least visible area of an object, square pixels.
        rotation: Largest in-plane rotation of upright families, degrees; tools and food turn freely.
        stretch: Largest logarithmic change of aspect along a random axis.
        clutter: Background shapes for each 160 x 160 pixels.
        fragments: Fraction of the clutter that is made of pieces of objects; the rest are blobs and strokes.
        markings: Mean number of patches of another material on an object.
        materials: Number of materials (two colours and a pattern) that an image's objects and ground share.
        texture_contrast: How far apart the colours of a palette lie; 0 is a single grey.
        class_materials: Probability that a part has one of the two materials of its class, which look the same in
            every image; a piece of clutter then has one of a random class. 0: appearance says nothing of the class.
        camouflage: Probability that a part takes the material of what lies under the object.
        outline_strength: Darkening of the outermost pixel of an object.
        rim_strength: Brightening of an object's border towards the light, darkening away from it.
        shading_strength: Brightness gradient over the whole object, the same for all its parts.
        shadow_strength: Darkness of the shadow that an object throws on what is behind it.
        broken: Fraction of the contour on which outline, rim and shadow fade out.
        decoys: Fraction of the clutter shapes that are lit too, on part of their contour: edges that look like
            an object's but do not close.
        decoy_strength: How strongly, relative to objects.
        noise: Standard deviation of the noise of a pixel's brightness, grey levels of 255.
    """

    instances_min: int = _knob(4, 0, 200)
    instances_max: int = _knob(8, 1, 200)
    voc_share: float = _knob(0.57, 0, 1)
    side_min: float = _knob(28.0, 4, 4096)
    side_max: float = _knob(110.0, 4, 4096)
    overlap: float = _knob(0.7, 0, 1)
    same_class: float = _knob(0.2, 0, 1)
    visible_min: float = _knob(0.4, 0, 1)
    inside_min: float = _knob(0.6, 0, 1)
    area_min: float = _knob(40.0, 4, math.inf)
    rotation: float = _knob(25.0, 0, 180)
    stretch: float = _knob(0.2, 0, 2)
    clutter: float = _knob(9.0, 0, 1000)
    fragments: float = _knob(0.4, 0, 1)
    markings: float = _knob(1.5, 0, 100)
    materials: int = _knob(9, 1, 200)
    texture_contrast: float = _knob(0.8, 0, 1)
    class_materials: float = _knob(0.6, 0, 1)
    camouflage: float = _knob(0.1, 0, 1)
    outline_strength: float = _knob(0.6, 0, 1)
    rim_strength: float = _knob(0.5, 0, 1)
    shading_strength: float = _knob(0.22, 0, 1)
    shadow_strength: float = _knob(0.5, 0, 1)
    broken: float = _knob(0.15, 0, 1)
    decoys: float = _knob(0.35, 0, 1)
    decoy_strength: float = _knob(0.6, 0, 1)
    noise: float = _knob(3.0, 0, 128)

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        _check_ranges(self, "scene.")
        for low, high in (("instances_min", "instances_max"), ("side_min", "side_max")):
            a, b = getattr(self, low), getattr(self, high)
            if b < a:
                raise UserError(f"scene.{high}={b} is below scene.{low}={a}", cure="exchange them")


@dataclass(frozen=True, kw_only=True)
class SyntheticParameters:
    """A whole set: two runs with equal parameters write equal bytes.

    Attributes:
        images: Number of training images.
        val_images: Number of validation images.
        seed: Seed of everything that is random.
        size: Square root of the mean image area, pixels.
        aspect: Largest ratio of an image's sides.
        jpeg_quality: Quality of the JPEG files, 1 to 100.
        scene: How an image is composed.
    """

    images: int = _knob(800, 0, math.inf)
    val_images: int = _knob(250, 0, math.inf)
    seed: int = _knob(0, 0, math.inf)
    size: int = _knob(160, 32, 4096)
    aspect: float = _knob(1.33, 1, 4)
    jpeg_quality: int = _knob(92, 1, 100)
    scene: SceneParameters = field(default_factory=SceneParameters)

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        _check_ranges(self, "")

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable dictionary, from which `from_dict` makes an equal object."""
        return asdict(self)

    def hash(self) -> str:
        """Return 12 hexadecimal digits that name the set: parameters and generator version."""
        return sha256_of_json({"generator": GENERATOR_VERSION, **self.as_dict()})[:12]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SyntheticParameters:
        """Make parameters from a mapping, e.g. of a YAML file; what is missing keeps its default.

        Raises:
            UserError: A key does not exist; the nearest ones are named.
        """
        given = dict(values)
        given.pop("generator", None)
        scene = _typed(given.pop("scene", {}), SceneParameters, "synthetic.scene")
        return cls(**_typed(given, cls, "synthetic"), scene=SceneParameters(**scene))


def _typed(values: Any, kind: type, where: str) -> dict[str, Any]:
    """Return the values with whole numbers where the fields of ``kind`` are int, and numbers where they are float."""
    if not isinstance(values, Mapping):
        raise UserError(f"{values!r} is not a mapping", where=where, cure="write key: value below it")
    types = {entry.name: entry.type for entry in fields(kind)}
    typed: dict[str, Any] = {}
    for key, value in values.items():
        if key not in types:
            raise UserError(f"unknown parameter {key!r}", where=where, cure=did_you_mean(str(key), types))
        whole = isinstance(value, int) and not isinstance(value, bool)
        if types[key] == "int" and not whole:
            raise UserError(f"{value!r} is not a whole number", where=f"{where}.{key}", cure="give one")
        if not whole and not isinstance(value, float):
            raise UserError(f"{value!r} is not a number", where=f"{where}.{key}", cure="give one")
        typed[key] = value if types[key] == "int" else float(value)
    return typed


def _check_ranges(parameters: SceneParameters | SyntheticParameters, prefix: str) -> None:
    for entry in fields(parameters):
        if "range" in entry.metadata:
            low, high = entry.metadata["range"]
            value = getattr(parameters, entry.name)
            if not low <= value <= high:  # also when it is NaN
                cure = f"give {low:g} or more" if high == math.inf else f"give {low:g} to {high:g}"
                raise UserError(f"{prefix}{entry.name}={value} is out of range", cure=cure)
