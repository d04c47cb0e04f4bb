"""Body plans of what is held: handles with heads, blades, boards, bags, sport."""

from __future__ import annotations

import numpy as np

from psis_bench.data.synthetic.primitives import (
    Part,
    Polygon,
    Vary,
    arc,
    chain,
    ellipse,
    hole,
    limb,
    part,
    polygon,
    quad,
    star,
    turned,
)


def handled(
    vary: Vary, *, handle: float, width: float, grip: float, head: list[Polygon], neck: float = 0.0
) -> list[Part]:
    """A handle pointing down with a head on top.

    Args:
        vary: Differences between instances.
        handle: Length of the handle, below y = 0.
        width: Of the handle.
        grip: Width of its thicker lower half.
        head: Polygons above y = 0.
        neck: Length of a narrower piece between the two, 0 for none.
    """
    length = vary(handle, 0.2)
    bend = vary.turn(8)
    lower = chain(0, length * 0.5, bend, [length * 0.25, length * 0.25])
    stretch = vary(1.0, 0.2)
    top = [shape * (stretch, 1.0) - (0.0, neck) for shape in head]
    shaft = limb([(0, -neck - 0.05), (0, length * 0.5)], width)
    return [part(0, shaft), part(1, limb(lower, vary(grip))), part(2, top)]


def tines(count: int, length: float, spread: float, width: float) -> list[Polygon]:
    """Return a fork's head: a bridge and parallel tines that point up."""
    shapes = [ellipse(0, -0.1, spread / 2 + width / 2, 0.2, power=3)]
    for x in np.linspace(-spread / 2, spread / 2, count):
        shapes += limb([(x, -0.15), (x, -length)], width, width * 0.7)
    return shapes


def blade(length: float, width: float) -> list[Polygon]:
    """Return a knife's head: straight back, curved edge."""
    curve = [(width * np.sin(t) ** 0.7, -length * t / np.pi) for t in np.linspace(0.25, np.pi, 20)]
    return [polygon((-width * 0.25, 0.0), *curve, (-width * 0.25, -length * 0.85))]


def bristles(length: float, width: float, count: int) -> list[Polygon]:
    """Return a brush's head: a bar with teeth to one side."""
    shapes = limb([(0, 0), (0, -length)], width)
    for y in np.linspace(-length * 0.3, -length, count):
        shapes += limb([(0, y), (width * 2.6, y)], length * 0.45 / count)
    return shapes


def racket(vary: Vary, *, handle: float, width: float, head: float, squash: float, rim: float) -> list[Part]:
    """An open ring with two bars across it on a long handle."""
    a, b = vary(head) * squash, vary(head)
    y = -b - 0.25
    throat = limb([(0, 0.2), (-a * 0.6, y + b * 0.8)], 0.12) + limb([(0, 0.2), (a * 0.6, y + b * 0.8)], 0.12)
    strings = limb([(-a * 0.9, y), (a * 0.9, y)], 0.07) + limb([(0, y - b * 0.9), (0, y + b * 0.9)], 0.07)
    return [
        part(0, ellipse(0, y, a, b)),
        hole(ellipse(0, y, a - rim, b - rim)),
        part(1, throat),
        part(3, strings),
        part(2, limb([(0, 0.15), (0, vary(handle))], width)),
    ]


def scissors(vary: Vary, *, blade_length: float, ring: float) -> list[Part]:
    """Two crossed blades, open by a random angle, with a ring each."""
    parts = []
    opening = np.radians(16) + vary.turn(11)
    for slot, side in enumerate((-1, 1)):
        arm = polygon((-0.12, 0.25), (0.1, 0.25), (0.1, -blade_length * 0.8), (0, -blade_length))
        arm = turned(arm * (side, 1), side * opening)
        x, y = turned(np.array([[0.12 * side, 0.55]]), -side * opening)[0]
        finger = ellipse(-x * 2.2, y + 0.1, vary(ring) * 0.85, ring)
        parts += [part(slot, arm), part(slot + 2, limb([(0, 0), (-x * 1.5, y - ring * 0.6)], 0.2), finger)]
        parts.append(hole(ellipse(-x * 2.2, y + 0.1, ring * 0.45, ring * 0.55)))
    return parts


def dryer(vary: Vary, *, barrel: float, girth: float, handle: float) -> list[Part]:
    """A barrel with a nozzle, a slanted handle and a loop of cable."""
    length, girth = vary(barrel), vary(girth)
    tilt = 0.25 + vary.turn(18)
    joints = chain(length * 0.25, 0, -tilt, [vary(handle)])
    x, y = joints[-1]
    nozzle = polygon(
        (-length * 0.4, -girth * 0.35),
        (-length * 0.85, -girth * 0.55),
        (-length * 0.85, girth * 0.55),
        (-length * 0.4, girth * 0.35),
    )
    cable = limb(arc(x + 0.3, y, 0.3, 180, 20 + np.degrees(vary.turn(40))), 0.08)
    return [
        part(0, cable),
        part(1, limb(joints, girth * 0.55)),
        part(2, nozzle),
        part(3, ellipse(length * 0.05, 0, length / 2, girth / 2, power=3)),
        part(4, ellipse(length * 0.4, 0, girth * 0.45, girth * 0.45)),
    ]


def board(vary: Vary, *, length: float, width: float, power: float, fins: int = 0, waist: float = 0.0) -> list[Part]:
    """A long board standing upright, waisted or not, with fins or bindings at its sides."""
    length, width = vary(length, 0.1), vary(width)
    outline = ellipse(0, 0, width / 2, length / 2, power=power)
    if waist:
        outline = outline * np.stack(
            [1 - waist * np.cos(np.pi * outline[:, 1] / length) ** 2, np.ones(len(outline))], axis=1
        )
    parts = [part(0, outline), part(1, quad(0, -length * 0.2, length * 0.2, width * 0.4, width * 0.4))]
    for index in range(fins):
        y = length * (0.44 - 0.26 * index)
        parts.append(part(2, polygon((0, y - 0.15), (width * 0.95, y + 0.25), (0, y + 0.15))))
    return parts


def crossed(vary: Vary, *, length: float, width: float, angle: float) -> list[Part]:
    """Two thin boards with curled tips that cross."""
    parts = []
    for slot, side in enumerate((-1, 1)):
        tilt = np.radians(angle) + vary.turn(9)
        path = np.array([(0.22, -length / 2), (0.05, -length * 0.44), (0, -length * 0.36), (0, 0), (0, length / 2)])
        parts.append(part(slot, limb(turned(path * (side, 1), side * tilt), width)))
        parts.append(
            part(slot + 2, limb(turned(path[3:4] * (side, 1) + [[0, 0.1], [0, 0.5]], side * tilt), width * 1.9))
        )
    return parts


def skateboard(vary: Vary, *, length: float, deck: float, wheel: float) -> list[Part]:
    """A deck with both ends bent up and two pairs of wheels."""
    x = vary(length) / 2
    wheel = vary(wheel)
    path = [(-x * 1.15, -vary(0.3)), (-x * 0.8, 0), (0, 0.03), (x * 0.8, 0), (x * 1.15, -vary(0.3))]
    wheels = [ellipse(side * x * at, wheel * 1.3, wheel) for side in (-1, 1) for at in (0.72, 0.4)]
    axle = limb([(-x * 0.56, 0.1), (-x * 0.56, wheel * 1.2)], 0.2) + limb(
        [(x * 0.56, 0.1), (x * 0.56, wheel * 1.2)], 0.2
    )
    return [part(0, wheels), part(1, axle), part(2, limb(path, vary(deck)))]


def bag(vary: Vary, *, width: float, height: float, flare: float, loops: int, loop: float, pocket: float) -> list[Part]:
    """A bag: body wider (flare > 1) or narrower at its foot, loops to carry it by, a pocket that stands out."""
    w, h = vary(width), vary(height)
    parts = []
    at = [0.0] if loops == 1 else [-w * 0.5, w * 0.5]
    for x in at:
        size = vary(loop, 0.2)
        y = -h / 2 if loops == 1 else 0.0
        ring = limb(arc(x, y, size, 180, 360), 0.13) if loops == 1 else limb(arc(x, 0, size, 0, 345, squash=1.5), 0.13)
        parts.append(part(0, ring))
    if loops == 1:
        body = [quad(0, -h / 2, h / 2, w, w * flare)]
    else:
        body = [ellipse(0, 0, w / 2, h / 2, power=3.2), ellipse(0, -h * 0.5, w * 0.2, h * 0.12)]
    parts += [part(1, body), part(2, ellipse(0, h * 0.3, w * pocket, h * 0.24, power=4))]
    return parts


def tie(vary: Vary, *, length: float, width: float, knot: float) -> list[Part]:
    """A knot, a blade that widens and swings, and its thinner twin behind."""
    length = vary(length)
    swing = vary.turn(12)
    front = polygon((-0.12, 0), (0.12, 0), (width / 2, length * 0.85), (0, length), (-width / 2, length * 0.85))
    back = polygon((-0.1, 0), (0.1, 0), (width * 0.3, length * 0.7), (-width * 0.2, length * 0.75))
    collar = limb([(-0.5, -0.35), (0, -0.1), (0.5, -0.35)], 0.16)
    return [
        part(0, turned(back, 0.35 + vary.turn(10))),
        part(1, collar),
        part(2, turned(front, swing)),
        part(3, quad(0, -knot, knot * 0.6, knot * 1.4, knot * 0.8)),
    ]


def glove(vary: Vary, *, palm: float, fingers: int, finger: float, web: float) -> list[Part]:
    """A palm with thick fingers spread out and a thumb apart."""
    palm = vary(palm)
    shapes = []
    for index in range(fingers):
        angle = np.pi + np.radians(-38 + 25 * index) + vary.turn(7)
        shapes += limb(chain(0, 0, -angle, [palm * 0.9, vary(finger)], [vary.turn(15)]), palm * 0.5, palm * 0.4)
    thumb = limb(chain(0, palm * 0.3, np.radians(-110) + vary.turn(15), [palm, finger * 0.7], [-0.7]), palm * 0.5)
    cuff = quad(0, palm * 0.6, palm * 1.25, palm * 1.3, palm * 1.5)
    return [part(0, shapes), part(1, thumb), part(2, ellipse(0, 0, palm, palm * web, power=2.5)), part(3, cuff)]


def sign(vary: Vary, *, corners: int, radius: float, pole: float, width: float, heads: int = 1) -> list[Part]:
    """A regular polygon (or two rounded heads) on a pole."""
    length = vary(pole)
    parts = [part(0, limb([(0, 0), (0, length)], width)), part(3, ellipse(0, length, width * 1.6, width * 0.7))]
    if heads == 1:
        return [
            *parts,
            part(1, star(0, 0, vary(radius), corners, np.cos(np.pi / corners), angle=np.pi / corners)),
            part(2, ellipse(0, 0, radius * 0.5, radius * 0.2)),
        ]
    for side in (-1, 1):
        x = side * radius * 1.1
        parts.append(part(1, ellipse(x, 0, radius * 0.9, vary(radius) * 1.3, power=3)))
        parts.append(part(2, ellipse(x, -radius * 0.5, radius * 0.45, radius * 0.4)))
    return [*parts, part(4, quad(0, radius * 0.4, radius * 0.9, radius * 2.4, radius * 1.2))]
