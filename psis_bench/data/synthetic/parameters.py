"""What a synthetic set is made from: its size, its seed, and the knobs of its difficulty.

Light on purpose (standard library only): the command line reads the parameters without drawing anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from psis_bench.errors import UserError, did_you_mean
from psis_bench.files import sha256_of_json

GENERATOR_VERSION = 1
"""Changes with every change of a pixel, so that a cached set is never taken for a newer one."""


@dataclass(frozen=True, kw_only=True)
class SceneParameters:
    """How one image is composed: the knobs of difficulty.

    Lengths are pixels of the finished image, strengths are in [0, 1] unless said otherwise.

    Attributes:
        instances_min: Fewest objects that are tried in an image.
        instances_max: Most objects in an image.
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

    instances_min: int = 4
    instances_max: int = 8
    side_min: float = 22.0
    side_max: float = 100.0
    overlap: float = 0.5
    same_class: float = 0.2
    visible_min: float = 0.4
    inside_min: float = 0.45
    area_min: float = 40.0
    rotation: float = 25.0
    stretch: float = 0.2
    clutter: float = 12.0
    fragments: float = 0.4
    markings: float = 1.5
    materials: int = 9
    texture_contrast: float = 0.8
    camouflage: float = 0.1
    outline_strength: float = 0.45
    rim_strength: float = 0.35
    shading_strength: float = 0.22
    shadow_strength: float = 0.4
    broken: float = 0.25
    decoys: float = 0.5
    decoy_strength: float = 0.6
    noise: float = 3.0


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

    images: int = 1000
    val_images: int = 250
    seed: int = 0
    size: int = 160
    aspect: float = 1.33
    jpeg_quality: int = 92
    scene: SceneParameters = field(default_factory=SceneParameters)

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        for name in ("images", "val_images", "seed"):
            if getattr(self, name) < 0:
                raise UserError(f"{name}={getattr(self, name)} is negative", cure="give 0 or more")
        if not 32 <= self.size <= 4096:
            raise UserError(f"size={self.size} is out of range", cure="give 32 to 4096 pixels")
        if not 1 <= self.aspect <= 4:
            raise UserError(f"aspect={self.aspect} is out of range", cure="give 1 to 4")
        if not 1 <= self.jpeg_quality <= 100:
            raise UserError(f"jpeg_quality={self.jpeg_quality} is out of range", cure="give 1 to 100")

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
        scene = given.pop("scene", {})
        _check_keys(given, cls, "synthetic")
        _check_keys(scene, SceneParameters, "synthetic.scene")
        return cls(**given, scene=SceneParameters(**scene))


def _check_keys(values: Mapping[str, Any], kind: type, where: str) -> None:
    valid = [entry.name for entry in fields(kind)]
    for key in values:
        if key not in valid:
            raise UserError(f"unknown parameter {key!r}", where=where, cure=did_you_mean(key, valid))
