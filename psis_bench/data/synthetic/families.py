"""The 80 silhouette families: one line a class.

The class names are COCO's so that every split runs unchanged; a family loosely resembles what its name says,
so that the groups of a split differ the way they do in COCO (VOC: animals, vehicles, furniture; the other 60:
tools, food, appliances, ...). Nothing but the silhouette belongs to a class: materials are drawn per image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from psis_bench.data.synthetic import creatures, food, household, tools, vehicles
from psis_bench.data.synthetic.primitives import Part, Vary, ellipse, limb

Plan = Callable[[Vary], list[Part]]


@dataclass(frozen=True)
class Family:
    """The shapes of one class.

    Attributes:
        plan: Draws an instance.
        free: Whether it turns freely in the plane, as things on a table do, rather than stand upright.
    """

    plan: Plan
    free: bool = False

    def instance(self, rng: np.random.Generator) -> list[Part]:
        """Return the parts of a random instance, back to front, in arbitrary units."""
        return self.plan(Vary(rng))

    def canonical(self) -> list[Part]:
        """Return the parts of the family's mean instance."""
        return self.plan(Vary(np.random.default_rng(0), 0.0))


def _upright(plan: Callable[..., list[Part]], **shape: object) -> Family:
    return Family(partial(plan, **shape))


def _free(plan: Callable[..., list[Part]], **shape: object) -> Family:
    return Family(partial(plan, **shape), free=True)


_CREATURES = {
    "person": _upright(creatures.biped, torso=1.0, girth=0.8, head=0.3, arm=0.95, leg=1.2, width=0.28),
    "bird": _upright(creatures.bird, length=1.5, girth=0.95, wing=1.1, head=0.26, beak=0.3, leg=0.5),
    "cat": _upright(
        creatures.quadruped,
        length=1.2,
        girth=0.75,
        leg=0.7,
        width=0.24,
        neck=0.3,
        lift=50,
        head=0.36,
        snout=0.1,
        tail=1.2,
        ears=0.3,
    ),
    "dog": _upright(
        creatures.quadruped,
        length=1.4,
        girth=0.7,
        leg=0.85,
        width=0.25,
        neck=0.4,
        lift=35,
        head=0.26,
        snout=0.45,
        tail=0.5,
        ears=0.2,
    ),
    "horse": _upright(
        creatures.quadruped,
        length=1.5,
        girth=0.85,
        leg=1.05,
        width=0.25,
        neck=0.85,
        lift=50,
        head=0.3,
        snout=0.5,
        tail=0.9,
        ears=0.15,
    ),
    "sheep": _upright(
        creatures.quadruped,
        length=1.2,
        girth=0.95,
        leg=0.6,
        width=0.15,
        neck=0.25,
        lift=10,
        head=0.22,
        snout=0.2,
        tail=0.2,
        fleece=True,
    ),
    "cow": _upright(
        creatures.quadruped,
        length=1.9,
        girth=0.95,
        leg=0.75,
        width=0.2,
        neck=0.35,
        lift=0,
        head=0.3,
        snout=0.35,
        tail=0.8,
        ears=0.25,
    ),
    "elephant": _upright(
        creatures.quadruped,
        length=1.4,
        girth=1.15,
        leg=0.95,
        width=0.36,
        neck=0.2,
        lift=15,
        head=0.42,
        snout=0.1,
        tail=0.5,
        trunk=1.3,
    ),
    "bear": _upright(
        creatures.quadruped,
        length=1.5,
        girth=1.0,
        leg=0.6,
        width=0.34,
        neck=0.3,
        lift=-15,
        head=0.34,
        snout=0.3,
        tail=0.08,
        ears=0.1,
    ),
    "zebra": _upright(
        creatures.quadruped,
        length=1.2,
        girth=0.8,
        leg=0.95,
        width=0.3,
        neck=0.8,
        lift=30,
        head=0.26,
        snout=0.4,
        tail=0.7,
        ears=0.4,
    ),
    "giraffe": _upright(
        creatures.quadruped,
        length=0.95,
        girth=0.75,
        leg=1.15,
        width=0.22,
        neck=1.45,
        lift=68,
        head=0.24,
        snout=0.3,
        tail=0.6,
        ears=0.15,
    ),
    "teddy bear": _upright(food.figure_eight, head=0.6, girth=0.75, ears=0.26),
}

_VEHICLES = {
    "bicycle": _upright(vehicles.two_wheeler, wheel=0.62, base=1.7, rim=0.62, tube=0.16),
    "car": _upright(vehicles.wheeled, length=2.4, height=0.6, wheels=2, wheel=0.3, cabin=(-0.05, 0.6, 0.5)),
    "motorcycle": _upright(vehicles.two_wheeler, wheel=0.5, base=1.6, rim=0.4, tube=0.2, tank=0.3),
    "airplane": _free(vehicles.aircraft, length=2.4, girth=0.5, span=2.2, sweep=0.55, chord=0.85, tail=0.6),
    "bus": _upright(vehicles.wheeled, length=2.1, height=1.1, wheels=2, wheel=0.2),
    "train": _upright(
        vehicles.wheeled,
        length=2.6,
        height=0.55,
        wheels=4,
        wheel=0.21,
        cabin=(-0.32, 0.32, 0.55),
        chimney=0.5,
        nose=0.35,
    ),
    "truck": _upright(vehicles.wheeled, length=2.4, height=1.05, wheels=3, wheel=0.27, gap=0.18),
    "boat": _upright(vehicles.sailboat, length=2.0, hull=0.5, mast=2.0, sail=0.9, jib=0.7),
    "kite": _free(vehicles.kite, width=1.6, height=1.6, tail=1.2, bows=3),
    "umbrella": _upright(vehicles.umbrella, radius=1.1, squash=0.85, ribs=4, stick=0.8, hook=0.2),
    "skateboard": _upright(tools.skateboard, length=2.2, deck=0.34, wheel=0.26),
}

_TOOLS = {
    "traffic light": _upright(
        household.cabinet,
        width=0.72,
        height=1.6,
        power=4,
        knobs=((-1.1, -0.6, 0.22), (1.1, -0.6, 0.22), (-1.1, 0.1, 0.22), (1.1, 0.1, 0.22)),
        pole=0.7,
    ),
    "stop sign": _upright(tools.sign, corners=8, radius=0.75, pole=1.7, width=0.16),
    "parking meter": _upright(tools.sign, corners=0, radius=0.36, pole=1.6, width=0.22, heads=2),
    "backpack": _upright(tools.bag, width=1.1, height=1.5, flare=1.0, loops=2, loop=0.42, pocket=0.42),
    "handbag": _upright(tools.bag, width=1.0, height=0.85, flare=1.35, loops=1, loop=0.5, pocket=0.3),
    "tie": _free(tools.tie, length=1.8, width=0.85, knot=0.28),
    "suitcase": _upright(
        household.cabinet,
        width=1.5,
        height=1.0,
        power=7,
        feet=0.16,
        knobs=((-0.25, -1.0, 0.14), (0.0, -1.2, 0.14), (0.25, -1.0, 0.14)),
    ),
    "skis": _free(tools.crossed, length=2.2, width=0.28, angle=17),
    "snowboard": _free(tools.board, length=2.3, width=0.72, power=4, waist=0.3),
    "surfboard": _free(tools.board, length=2.6, width=0.75, power=1.7, fins=2),
    "baseball bat": _free(
        tools.handled, handle=0.9, width=0.26, grip=0.3, head=limb([(0, 0.1), (0, -0.5), (0, -1.3)], 0.32, 0.6)
    ),
    "baseball glove": _free(tools.glove, palm=0.62, fingers=4, finger=0.6, web=0.9),
    "tennis racket": _free(tools.racket, handle=1.0, width=0.28, head=0.95, squash=0.85, rim=0.22),
    "fork": _free(tools.handled, handle=1.2, width=0.22, grip=0.36, head=tools.tines(3, 1.0, 0.72, 0.19), neck=0.2),
    "knife": _free(tools.handled, handle=0.9, width=0.34, grip=0.42, head=tools.blade(1.5, 0.62)),
    "spoon": _free(tools.handled, handle=1.2, width=0.22, grip=0.34, head=[ellipse(0, -0.55, 0.55, 0.68)], neck=0.1),
    "scissors": _free(tools.scissors, blade_length=1.2, ring=0.5),
    "hair drier": _free(tools.dryer, barrel=1.2, girth=0.7, handle=1.0),
    "toothbrush": _free(tools.handled, handle=1.4, width=0.24, grip=0.38, head=tools.bristles(1.0, 0.26, 4)),
}

_HOUSEHOLD = {
    "fire hydrant": _upright(
        household.vessel, profile=(0.12, 0.34, 0.42, 0.36, 0.36, 0.38, 0.38), height=1.6, caps=0.26, foot=0.5
    ),
    "bench": _upright(household.seat, width=2.4, depth=0.24, back=0.7, legs=0.55, leg=0.2, slats=True),
    "bottle": _upright(household.vessel, profile=(0.14, 0.14, 0.15, 0.36, 0.38, 0.38, 0.38, 0.36), height=2.1),
    "wine glass": _upright(household.vessel, profile=(0.42, 0.5, 0.44, 0.2, 0.07, 0.06, 0.06), height=1.9, foot=0.36),
    "cup": _upright(household.vessel, profile=(0.5, 0.5, 0.48, 0.46, 0.4), height=1.0, handles=1, loop=0.34),
    "bowl": _upright(household.vessel, profile=(1.0, 0.95, 0.8, 0.55, 0.3), height=0.75, foot=0.28),
    "vase": _upright(household.vessel, profile=(0.4, 0.2, 0.22, 0.5, 0.56, 0.4, 0.26), height=1.7, handles=2, loop=0.3),
    "potted plant": _upright(household.vessel, profile=(0.46, 0.44, 0.38, 0.32), height=1.0, leaves=5),
    "chair": _upright(household.seat, width=0.85, depth=0.22, back=1.1, legs=0.95, leg=0.14),
    "couch": _upright(household.seat, width=2.2, depth=0.6, back=0.5, legs=0.12, leg=0.2, arms=0.75),
    "bed": _upright(household.bed, length=2.3, height=0.6, head=0.9, foot=0.35),
    "dining table": _upright(household.table, width=2.2, top=0.24, legs=0.85, leg=0.3),
    "toilet": _upright(household.toilet, tank=0.85, bowl=0.75, lid=0.9),
    "tv": _upright(household.cabinet, width=2.0, height=1.15, pole=0.35),
    "laptop": _upright(household.laptop, width=1.5, screen=1.05, deck=0.6, lean=0.3),
    "mouse": _free(household.mouse, length=1.4, width=1.05, cable=1.3),
    "remote": _free(
        household.cabinet,
        width=0.55,
        height=1.9,
        power=5,
        knobs=((-1.0, -0.2, 0.15), (-1.0, 0.15, 0.15), (-1.0, 0.5, 0.15)),
    ),
    "keyboard": _free(
        household.cabinet,
        width=2.5,
        height=0.85,
        power=9,
        holes=((-0.6, 0.6, 0.1, 0.5), (-0.2, 0.6, 0.1, 0.5), (0.2, 0.6, 0.1, 0.5), (0.6, 0.6, 0.1, 0.5)),
    ),
    "cell phone": _free(
        household.cabinet,
        width=0.85,
        height=1.5,
        power=6,
        knobs=((0.75, -1.1, 0.14), (0.75, -1.3, 0.1), (0.75, -1.45, 0.1)),
        holes=((0.0, 0.72, 0.3, 0.1),),
    ),
    "microwave": _upright(household.cabinet, width=1.9, height=1.1, feet=0.12, holes=((-0.25, 0.0, 0.5, 0.6),)),
    "oven": _upright(
        household.cabinet,
        width=1.2,
        height=1.4,
        knobs=((-0.6, -1.06, 0.15), (0.0, -1.06, 0.15), (0.6, -1.06, 0.15)),
        door=0.6,
    ),
    "toaster": _upright(
        household.cabinet,
        width=1.6,
        height=0.95,
        power=4,
        feet=0.12,
        knobs=((1.1, 0.2, 0.17),),
        holes=((-0.4, -0.8, 0.25, 0.4), (0.35, -0.8, 0.25, 0.4)),
    ),
    "sink": _upright(household.sink, width=1.7, depth=0.75, tap=0.35),
    "refrigerator": _upright(
        household.cabinet,
        width=0.9,
        height=2.1,
        feet=0.14,
        knobs=((-1.05, -0.5, 0.12), (-1.05, 0.2, 0.12)),
        holes=((-0.9, -0.25, 0.3, 0.02),),
    ),
    "book": _upright(household.book, width=1.05, height=0.95, rise=0.35),
    "clock": _upright(household.clock, radius=0.75, bell=0.34, feet=0.3),
}

_FOOD = {
    "frisbee": _free(food.disc, radius=1.1, squash=0.35, dome=0.38),
    "sports ball": _free(food.ball, length=2.0, girth=1.15),
    "banana": _free(food.crescent, radius=1.1, sweep=150, width=0.75),
    "apple": _free(food.fruit, radius=0.85, dent=0.13, lobes=3, stem=0.35, leaves=1),
    "sandwich": _free(food.wedge, width=1.9, height=1.4, layers=4),
    "orange": _free(food.fruit, radius=0.85, dent=0.05, lobes=6, stem=0.05, leaves=2),
    "broccoli": _free(food.crown, radius=0.7, florets=6, floret=0.4, stem=0.9, width=0.4),
    "carrot": _free(food.root, length=1.5, width=0.85, leaves=4, leaf=0.9),
    "hot dog": _free(food.bun, length=1.7, girth=0.55, stick_out=0.2),
    "pizza": _free(food.slice_of, radius=1.7, opening=58, crust=0.3, bites=2),
    "donut": _free(food.ring, radius=0.95, inner=0.42, squash=0.85),
    "cake": _upright(food.tiers, widths=(0.8, 1.3, 1.8), height=0.42, candles=3),
}

FAMILIES: Mapping[str, Family] = MappingProxyType({**_CREATURES, **_VEHICLES, **_TOOLS, **_HOUSEHOLD, **_FOOD})
"""Family of each of the 80 class names."""
