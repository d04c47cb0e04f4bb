"""One image: ground, clutter, and objects put in front of each other, back to front.

Drawn at twice the size and averaged down. Three maps describe the drawing: which material a pixel has, how
bright it is, and which object it belongs to; the colours come last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from psis_bench.data.synthetic.families import FAMILIES, Family
from psis_bench.data.synthetic.lighting import MARGIN, Light, relight
from psis_bench.data.synthetic.parameters import SceneParameters, SyntheticParameters
from psis_bench.data.synthetic.primitives import Part, chain, ellipse, limb, part, polar
from psis_bench.data.synthetic.raster import EMPTY, Drawing, draw, fill, pose
from psis_bench.data.synthetic.textures import Material, class_material, colour
from psis_bench.splits.categories import VOC_NAMES

SUBSETS = ("train", "val")
_SUPERSAMPLING = 2
_TRIES = 8
_MIN_FRAGMENT = 0.03
_CLASS_MATERIALS = 2
_MOST_MATERIALS = 255


@dataclass(frozen=True)
class Thing:
    """One visible object.

    Attributes:
        name: Its class.
        mask: (H, W) bool: its visible pixels in the finished image.
    """

    name: str
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """A finished image.

    Attributes:
        image: (H, W, 3) uint8, blue green red.
        things: Its objects, back to front; their masks do not overlap.
    """

    image: NDArray[np.uint8]
    things: list[Thing]


def compose(parameters: SyntheticParameters, *, subset: str, index: int) -> Scene:
    """Compose image ``index`` of a subset; equal arguments give equal pixels in any process.

    Args:
        parameters: Of the whole set; the number of images has no influence.
        subset: ``"train"`` or ``"val"``.
        index: 0-based number of the image.
    """
    seed = np.random.SeedSequence([parameters.seed, SUBSETS.index(subset), index])
    rng = np.random.default_rng(seed)
    ratio = np.exp(rng.uniform(-1, 1) * np.log(parameters.aspect) / 2)
    width, height = round(parameters.size * ratio), round(parameters.size / ratio)
    canvas = _Canvas(rng, parameters.scene, height=height, width=width)
    canvas.add_clutter()
    canvas.add_objects()
    return Scene(canvas.colours(), canvas.things())


class _Canvas:
    """The maps of a drawing: materials and owners at twice the size, brightness at the size of the image."""

    def __init__(self, rng: np.random.Generator, scene: SceneParameters, *, height: int, width: int) -> None:
        self.rng = rng
        self.scene = scene
        self.height, self.width = height * _SUPERSAMPLING, width * _SUPERSAMPLING
        self.material = np.full((self.height, self.width), rng.integers(scene.materials), np.uint8)
        slope = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(rng.uniform(-0.2, 0.2))
        self.brightness = np.tile(1 + slope, (height, 1))
        self.owner = np.zeros((self.height, self.width), np.uint8)
        self.names: list[str] = []
        # Materials of classes, by class and number, in the order of their indices after the image's own.
        self._of_classes: dict[tuple[str, int], Material] = {}
        self._areas: list[int] = []
        self._visible: list[int] = []
        self._places: list[tuple[float, float, float]] = []
        angle = np.radians(rng.normal(235, 20))  # from the upper left, as in most photographs
        self.lamp = (float(np.cos(angle)), float(np.sin(angle)))

    def add_clutter(self) -> None:
        """Cover the ground with shapes of the same materials whose contours do not close."""
        count = self.rng.poisson(self.scene.clutter * self.height * self.width / (160 * 160 * _SUPERSAMPLING**2))
        weak = self._light(strength=self.scene.decoy_strength, broken=0.5 + 0.5 * self.scene.broken)
        for _ in range(count):
            shape = _fragment(self.rng) if self.rng.random() < self.scene.fragments else _blob(self.rng)
            side = float(np.exp(self.rng.uniform(np.log(self.scene.side_min), np.log(self.scene.side_max))))
            centre = (self.rng.uniform(0, self.width), self.rng.uniform(0, self.height))
            matrix = _turn_and_stretch(self.rng, angle=self.rng.uniform(0, 2 * np.pi), stretch=0.5)
            drawing = draw(
                pose(shape, matrix, side=side * _SUPERSAMPLING, centre=centre), margin=_SUPERSAMPLING * MARGIN
            )
            light = weak if self.rng.random() < self.scene.decoys else None
            self._paint(drawing, light=light, name=_NAMES[self.rng.integers(len(_NAMES))], owner=None)

    def add_objects(self) -> None:
        """Put objects in front of each other; one that finds no place is left out."""
        for _ in range(self.rng.integers(self.scene.instances_min, self.scene.instances_max + 1)):
            for _ in range(_TRIES):
                name, drawing, place = self._propose()
                if self._fits(drawing):
                    self._accept(name, drawing, place)
                    break

    def _propose(self) -> tuple[str, Drawing, tuple[float, float, float]]:
        rng, scene = self.rng, self.scene
        names = _VOC if rng.random() < scene.voc_share else _OTHERS
        name = names[rng.integers(len(names))]
        side = float(np.exp(rng.uniform(np.log(scene.side_min), np.log(scene.side_max)))) * _SUPERSAMPLING
        margins = (min(0.3 * side, length / 2) for length in (self.width, self.height))
        x, y = (rng.uniform(m, length - m) for m, length in zip(margins, (self.width, self.height), strict=True))
        if self._places and rng.random() < scene.overlap:
            neighbour = rng.integers(len(self._places))
            nx, ny, other = self._places[neighbour]
            angle, gap = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.5) * (side + other)
            x, y = nx + gap * np.cos(angle), ny + gap * np.sin(angle)
            if rng.random() < scene.same_class:
                name = self.names[neighbour]
        family = FAMILIES[name]
        drawing = draw(_posed(family, rng, scene, side=side, centre=(x, y)), margin=_SUPERSAMPLING * MARGIN)
        return name, drawing, (x, y, side)

    def _fits(self, drawing: Drawing) -> bool:
        """Whether the object is visible enough and leaves enough of all others visible."""
        window, inner = self._windows(drawing)
        inside = drawing.mask[inner]
        area = int(inside.sum())
        smallest = self.scene.area_min * _SUPERSAMPLING**2
        if area < smallest or area < self.scene.inside_min * int(drawing.mask.sum()):
            return False
        hidden = np.bincount(self.owner[window][inside], minlength=len(self.names) + 1)[1:]
        left = np.array(self._visible, dtype=np.int64) - hidden
        return bool(np.all(left >= np.maximum(np.array(self._areas) * self.scene.visible_min, smallest)))

    def _accept(self, name: str, drawing: Drawing, place: tuple[float, float, float]) -> None:
        window, inner = self._windows(drawing)
        inside = drawing.mask[inner]
        hidden = np.bincount(self.owner[window][inside], minlength=len(self.names) + 1)[1:]
        self._visible = [left - int(lost) for left, lost in zip(self._visible, hidden, strict=True)]
        self.names.append(name)
        self._areas.append(int(inside.sum()))
        self._visible.append(self._areas[-1])
        self._places.append(place)
        self._paint(drawing, light=self._light(), name=name, owner=len(self.names))

    def _paint(self, drawing: Drawing, *, light: Light | None, name: str, owner: int | None) -> None:
        window, inner = self._windows(drawing)
        mask = drawing.mask[inner]
        if not mask.any():
            return
        chosen = self._choose_materials(drawing, name, self.material[window][mask])
        np.copyto(self.material[window], chosen[inner], where=mask)
        if light is not None:
            cover = _halved(drawing.mask.astype(np.float32))
            whole = np.ones_like(cover)
            small, part_of_it = _halves(window), _halves(inner)
            whole[part_of_it] = self.brightness[small]
            self.brightness[small] = relight(whole, cover, light, self.rng)[part_of_it]
        if owner is not None:
            self.owner[window][mask] = owner

    def _choose_materials(self, drawing: Drawing, name: str, below: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a map of materials for the parts of a drawing and the patches on it."""
        rng, scene = self.rng, self.scene
        table = rng.integers(scene.materials, size=EMPTY + 1).astype(np.uint8)
        typical = rng.random(EMPTY + 1) < scene.class_materials
        for slot in np.flatnonzero(np.bincount(drawing.slots.ravel(), minlength=EMPTY + 1)[:EMPTY]):
            if typical[slot]:
                table[slot] = self._class_material(name, int(slot) % _CLASS_MATERIALS)
        hidden = rng.random(EMPTY + 1) < scene.camouflage
        table[hidden] = below[rng.integers(len(below))]
        chosen = np.asarray(cv2.LUT(drawing.slots, table), np.uint8)
        height, width = chosen.shape
        for _ in range(rng.poisson(scene.markings)):
            size = rng.uniform(0.1, 0.4) * max(height, width)
            at = (rng.uniform(0, width), rng.uniform(0, height))
            patch = polar(*at, size, {2: rng.uniform(0, 0.5), 3: rng.uniform(0, 0.2)}, phase=rng.uniform(0, 6.28))
            fill(chosen, [patch], int(rng.integers(scene.materials)))
        return chosen

    def _class_material(self, name: str, number: int) -> int:
        """Return the index of a class's material; one of the image's own where there are too many."""
        key = (name, number)
        if key not in self._of_classes:
            if self.scene.materials + len(self._of_classes) > _MOST_MATERIALS:
                return int(self.rng.integers(self.scene.materials))
            self._of_classes[key] = class_material(name, number, contrast=self.scene.texture_contrast)
        return self.scene.materials + list(self._of_classes).index(key)

    def _windows(self, drawing: Drawing) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return where a drawing lies in the canvas, and which of its pixels lie there."""
        height, width = drawing.slots.shape
        top, left = min(max(drawing.top, 0), self.height), min(max(drawing.left, 0), self.width)
        bottom, right = (
            max(min(drawing.top + height, self.height), top),
            max(min(drawing.left + width, self.width), left),
        )
        inner = (slice(top - drawing.top, bottom - drawing.top), slice(left - drawing.left, right - drawing.left))
        return (slice(top, bottom), slice(left, right)), inner

    def _light(self, *, strength: float = 1.0, broken: float | None = None) -> Light:
        scene = self.scene
        return Light(
            direction=self.lamp,
            outline=scene.outline_strength * strength,
            rim=scene.rim_strength * strength,
            shading=scene.shading_strength * strength,
            shadow=scene.shadow_strength * strength,
            broken=scene.broken if broken is None else broken,
        )

    def colours(self) -> NDArray[np.uint8]:
        """Return the finished image, (H, W, 3) uint8, blue green red."""
        scene = self.scene
        picture = colour(
            self.rng,
            self.material,
            count=scene.materials,
            further=list(self._of_classes.values()),
            contrast=scene.texture_contrast,
        )
        small = picture * self.brightness[..., None]
        small += self.rng.standard_normal((*small.shape[:2], 1), dtype=np.float32) * np.float32(scene.noise)
        return np.clip(np.round(small), 0, 255).astype(np.uint8)

    def things(self) -> list[Thing]:
        """Return the objects with their visible masks in the finished image, back to front."""
        found: list[Thing] = []
        quarters = [np.ascontiguousarray(self.owner[row::2, column::2]) for row in (0, 1) for column in (0, 1)]
        taken = np.zeros(quarters[0].shape, dtype=bool)
        for number, name in reversed(list(enumerate(self.names, start=1))):
            covered = np.sum([quarter == number for quarter in quarters], axis=0, dtype=np.uint8)
            # A pixel that two objects share half and half goes to the one in front.
            mask = _without_crumbs((covered >= 2) & ~taken)
            taken |= mask
            if mask.any():
                found.append(Thing(name, mask))
        return found[::-1]


_NAMES = tuple(sorted(FAMILIES))
_VOC = tuple(sorted(VOC_NAMES))
_OTHERS = tuple(sorted(set(FAMILIES) - set(VOC_NAMES)))


def _halved(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means of two by two pixels."""
    height, width = field.shape[:2]
    return np.asarray(cv2.resize(field, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.float32)


def _halves(window: tuple[slice, slice]) -> tuple[slice, slice]:
    """Return a window of even corners in the pixels of the image."""
    rows, columns = window
    return slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)


def _posed(
    family: Family, rng: np.random.Generator, scene: SceneParameters, *, side: float, centre: tuple[float, float]
) -> list[Part]:
    angle = rng.uniform(0, 2 * np.pi) if family.free else np.radians(rng.uniform(-scene.rotation, scene.rotation))
    matrix = _turn_and_stretch(rng, angle=angle, stretch=scene.stretch)
    return pose(family.instance(rng), matrix, side=side, centre=centre)


def _turn_and_stretch(rng: np.random.Generator, *, angle: float, stretch: float) -> NDArray[np.float64]:
    """Return a (2, 2) matrix: a mirror half of the time, a stretch along a random axis, then a rotation."""
    axis, amount = rng.uniform(0, np.pi), np.exp(rng.uniform(-stretch, stretch))
    along = np.array([np.cos(axis), np.sin(axis)])
    widen = np.eye(2) + (amount - 1) * np.outer(along, along)
    mirror = np.diag([rng.choice([-1.0, 1.0]), 1.0])
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(np.array([[c, -s], [s, c]]) @ widen @ mirror)


def _blob(rng: np.random.Generator) -> list[Part]:
    """Return a piece of clutter that is no object's: a lobed blob, a slab or a stroke."""
    kind = rng.integers(3)
    if kind == 0:
        harmonics = {k: rng.uniform(-0.5, 0.5) / k for k in (2, 3, 4, 5)}
        return [part(0, polar(0, 0, 1, harmonics, phase=rng.uniform(0, 6.28)))]
    if kind == 1:
        return [part(0, ellipse(0, 0, 1, rng.uniform(0.25, 1), power=rng.uniform(1.2, 8)))]
    bends = rng.uniform(-0.9, 0.9, 4)
    return [part(0, limb(chain(0, 0, 0, [1.0] * 5, list(bends)), rng.uniform(0.2, 1.2), rng.uniform(0.1, 0.8)))]


def _fragment(rng: np.random.Generator) -> list[Part]:
    """Return some of the parts of a random object."""
    whole = [piece for piece in FAMILIES[_NAMES[rng.integers(len(_NAMES))]].instance(rng) if not piece.cut]
    keep = max(1, len(whole) // 2)
    return [whole[index] for index in sorted(rng.choice(len(whole), keep, replace=False))]


def _without_crumbs(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask without pieces so small that nobody would draw them."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    large = areas >= max(3.0, _MIN_FRAGMENT * areas.sum())
    return np.asarray(large[labels])


def describe(scene: Scene) -> list[dict[str, Any]]:
    """Return a COCO annotation of each object but for its ids: ``name``, segmentation (RLE), bbox xywh, area."""
    from pycocotools import mask as coco_mask

    found = []
    for thing in scene.things:
        rows, columns = np.flatnonzero(thing.mask.any(axis=1)), np.flatnonzero(thing.mask.any(axis=0))
        code = coco_mask.encode(np.asfortranarray(thing.mask.view(np.uint8)))
        found.append(
            {
                "name": thing.name,
                "segmentation": {
                    "size": [int(value) for value in code["size"]],
                    "counts": code["counts"].decode("ascii"),
                },
                "area": int(thing.mask.sum()),
                "bbox": [
                    int(columns[0]),
                    int(rows[0]),
                    int(columns[-1] - columns[0] + 1),
                    int(rows[-1] - rows[0] + 1),
                ],
                "iscrowd": 0,
            }
        )
    return found
