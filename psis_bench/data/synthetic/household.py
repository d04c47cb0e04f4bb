"""Body plans of what stands in a house: vessels, seats, boxes, screens."""

from __future__ import annotations

import numpy as np

from psis_bench.data.synthetic.primitives import (
    Part,
    Vary,
    arc,
    chain,
    ellipse,
    hole,
    limb,
    part,
    polygon,
    quad,
    turned,
)


def vessel(
    vary: Vary,
    *,
    profile: tuple[float, ...],
    height: float,
    handles: int = 0,
    loop: float = 0.0,
    caps: float = 0.0,
    leaves: int = 0,
    foot: float = 0.0,
) -> list[Part]:
    """A body of revolution seen from the side.

    Args:
        vary: Differences between instances.
        profile: Half widths from top to bottom, evenly spaced.
        height: Of the body.
        handles: 0, 1 or 2 open loops at the sides.
        loop: Radius of a handle.
        caps: Radius of round caps at both sides.
        leaves: Number of leaves growing out of the top.
        foot: Half width of a plate under the body.
    """
    h = vary(height)
    grown = [vary(value, 0.12) for value in profile]
    at = np.linspace(-h / 2, h / 2, 28)
    half = np.interp(at, np.linspace(-h / 2, h / 2, len(grown)), grown)
    right = np.stack([half, at], axis=1)
    body = np.concatenate([right, right[::-1] * (-1, 1)])
    parts: list[Part] = []
    for index in range(leaves):
        lean = np.pi + np.radians(np.linspace(-65, 65, leaves)[index]) + vary.turn(14)
        reach = vary(0.55, 0.25)
        joints = chain(0, -h / 2, lean, [reach, reach, reach * 0.6], [vary.turn(25), vary.turn(45)])
        parts.append(part(4 + index % 2, limb(joints[:2], 0.1), limb(joints[1:], 0.34, 0.06)))
    widest = float(half[10:18].max())
    for index in range(handles):
        side = 1 if index == 0 else -1
        ring = arc(
            side * widest, -h * 0.05, vary(loop), -85 if side == 1 else 95, 85 if side == 1 else 265, squash=1.15
        )
        parts.append(part(3, limb(ring, loop * 0.32)))
    if caps:
        parts.append(part(2, [ellipse(side * widest, -h * 0.08, vary(caps), caps * 0.8) for side in (-1, 1)]))
    parts.append(part(0, body))
    parts.append(part(1, quad(0, -h * 0.1, h * 0.3, widest * 1.5, widest * 1.5)))
    if foot:
        parts.append(part(2, quad(0, h * 0.46, h * 0.6, foot * 1.5, foot * 2)))
    return parts


def seat(
    vary: Vary,
    *,
    width: float,
    depth: float,
    back: float,
    legs: float,
    leg: float,
    arms: float = 0.0,
    slats: bool = False,
) -> list[Part]:
    """A seat on legs with a back, arms, and slots between the slats of the back."""
    w, d = vary(width), vary(depth)
    lean = vary.shift(0.12)
    length = vary(legs)
    x = w / 2
    stand = [quad(side * (x - leg / 2), d / 2, d / 2 + length, leg, leg * 0.8) for side in (-1, 1)]
    inner = [quad(side * x * 0.5, d / 2, d / 2 + length * 0.75, leg * 0.8, leg * 0.7) for side in (-1, 1)]
    height = vary(back)
    parts = [part(0, stand), part(1, inner)] if length > leg else [part(0, stand)]
    if height > 0.05:
        parts.append(part(2, quad(0, -d / 2 - height, d * 0.3, w * 0.92, w * 0.92, lean=lean)))
        if slats:
            parts.append(
                hole([quad(at * w, -d / 2 - height * 0.7, -d * 0.5, w * 0.18, w * 0.18) for at in (-0.28, 0, 0.28)])
            )
    if arms:
        sides = [ellipse(side * x, -arms * 0.25, arms * 0.34, arms * 0.7, power=3) for side in (-1, 1)]
        parts.append(part(4, sides))
    parts.append(part(3, ellipse(0, 0, x, d / 2, power=5)))
    return parts


def table(vary: Vary, *, width: float, top: float, legs: float, leg: float, pedestal: bool = False) -> list[Part]:
    """A top on splayed legs, empty space between them, or on one foot."""
    w, h = vary(width), vary(legs)
    splay = vary.shift(0.15)
    if pedestal:
        stand = [quad(0, 0, h, leg * 1.6, leg), ellipse(0, h, w * 0.28, 0.12, power=3)]
    else:
        stand = [
            polygon(
                (s * w * 0.4, 0),
                (s * w * 0.4 - s * leg, 0),
                (s * (w * 0.42 + splay) - s * leg * 0.6, h),
                (s * (w * 0.42 + splay), h),
            )
            for s in (-1, 1)
        ]
    cloth = polygon((-w * 0.3, 0), (w * 0.1, 0), (w * 0.05, vary(0.35)), (-w * 0.25, 0.3))
    return [part(0, stand), part(2, cloth), part(1, ellipse(0, 0, w / 2, top, power=5))]


def bed(vary: Vary, *, length: float, height: float, head: float, foot: float) -> list[Part]:
    """Mattress between a high head board and a low foot board, a pillow on it."""
    x, h = vary(length) / 2, vary(height)
    ends = [quad(-x, -vary(head), h, 0.2, 0.2), quad(x, -vary(foot), h, 0.18, 0.18)]
    return [
        part(1, ellipse(-x * 0.66, -h * 0.75, x * 0.25, h * 0.45, angle=-0.4 + vary.turn(10))),
        part(2, ellipse(x * 0.15, -h * 0.35, x * 0.75, h * 0.5, power=3)),
        part(0, quad(0, -h * 0.4, h * 0.5, 2 * x, 2 * x)),
        part(3, ends),
    ]


def cabinet(
    vary: Vary,
    *,
    width: float,
    height: float,
    power: float = 12.0,
    feet: float = 0.0,
    knobs: tuple[tuple[float, float, float], ...] = (),
    holes: tuple[tuple[float, float, float, float], ...] = (),
    door: float = 0.0,
    pole: float = 0.0,
) -> list[Part]:
    """A box.

    Args:
        vary: Differences between instances.
        width: Of the box.
        height: Of the box.
        power: Of its superellipse; 12 has nearly square corners.
        feet: Height of two feet under it.
        knobs: Discs on its rim or front: x, y as fractions of the half sides, and radius.
        holes: Openings: centre and half sides as fractions of the half sides.
        door: Length of a flap that hangs out to the right.
        pole: Length of a stand and plate under it.
    """
    w, h = vary(width) / 2, vary(height) / 2
    parts = []
    if feet:
        parts.append(part(1, [quad(s * w * 0.65, 0, h + vary(feet), w * 0.3, w * 0.2) for s in (-1, 1)]))
    if pole:
        length = vary(pole)
        parts.append(
            part(1, quad(0, 0, h + length, w * 0.25, w * 0.35), ellipse(0, h + length, w * 0.62, 0.1, power=3))
        )
    if door:
        swing = vary(door)
        parts.append(part(3, polygon((w * 0.8, h * 0.0), (w + swing, h * 0.35), (w + swing, h * 1.25), (w * 0.8, h))))
    parts.append(part(0, ellipse(0, 0, w, h, power=power)))
    parts.append(part(4, ellipse(-w * 0.1, h * 0.1, w * 0.65, h * 0.55, power=8)))
    parts += [part(2, ellipse(x * w, y * h, vary(r))) for x, y, r in knobs]
    parts += [hole(ellipse(x * w, y * h, rx * w, ry * h, power=8)) for x, y, rx, ry in holes]
    return parts


def laptop(vary: Vary, *, width: float, screen: float, deck: float, lean: float) -> list[Part]:
    """Screen and keyboard as two slanted planes that meet in a hinge."""
    w = vary(width) / 2
    open_by = vary(screen)
    tilt = lean + vary.shift(0.15)
    flat = vary(deck, 0.3)
    lid = polygon((-w, 0), (w, 0), (w + tilt, -open_by), (-w + tilt, -open_by))
    glass = lid * 0.78 + (tilt * 0.1, -open_by * 0.1)
    base = polygon((-w, 0), (w, 0), (w - 0.5, flat), (-w - 0.5, flat))
    return [part(0, lid), part(1, glass), part(2, base), part(3, base * 0.6 + (-0.1, flat * 0.15))]


def book(vary: Vary, *, width: float, height: float, rise: float) -> list[Part]:
    """Two pages that lie open like a gull's wings."""
    w, h = vary(width), vary(height)
    up = vary(rise, 0.4)
    curve = [(w * t, -up * np.sin(np.pi * t * 0.9)) for t in np.linspace(0, 1, 12)]
    page = polygon(*curve, *[(x, y + h) for x, y in curve[::-1]])
    other = page * (-vary(1.0, 0.1), vary(1.0, 0.1))
    return [part(0, page), part(1, other), part(2, page * 0.6 + (w * 0.2, h * 0.15))]


def clock(vary: Vary, *, radius: float, bell: float, feet: float) -> list[Part]:
    """A disc with two bells on top and two feet."""
    r = vary(radius)
    bells = [ellipse(side * r * 0.7, -r * 0.95, vary(bell), bell * 0.75, angle=side * 0.7) for side in (-1, 1)]
    stand = limb([(-r * 0.5, r * 0.7), (-r * 0.8, r + feet)], 0.18) + limb(
        [(r * 0.5, r * 0.7), (r * 0.8, r + feet)], 0.18
    )
    hand = limb(chain(0, 0, vary.turn(180), [r * 0.6]), 0.12)
    return [part(0, stand), part(1, bells), part(2, ellipse(0, 0, r)), part(3, ellipse(0, 0, r * 0.7)), part(4, hand)]


def toilet(vary: Vary, *, tank: float, bowl: float, lid: float) -> list[Part]:
    """Tank, bowl in front, a raised lid between them."""
    t, b = vary(tank), vary(bowl)
    raised = turned(ellipse(-b * 0.15, -lid / 2, b * 0.16, lid / 2), vary.turn(10))
    dish = polygon(
        (-b * 0.35, 0), (b, 0), (b * 0.85, 0.4), (b * 0.3, 0.8), (b * 0.35, 1.1), (-b * 0.3, 1.1), (-b * 0.25, 0.5)
    )
    return [
        part(0, quad(-b * 0.6, -t, 0.3, b * 0.55, b * 0.5)),
        part(1, raised),
        part(2, dish),
        part(3, ellipse(b * 0.3, 0, b * 0.72, 0.13)),
    ]


def sink(vary: Vary, *, width: float, depth: float, tap: float) -> list[Part]:
    """A trough with a swan-necked tap above it."""
    w, d = vary(width) / 2, vary(depth)
    neck = np.concatenate([[(w * 0.5, 0.0)], arc(w * 0.5 - tap, -vary(0.6), tap, 0, -190)])
    trough = polygon((-w, 0), (w, 0), (w * 0.75, d), (-w * 0.75, d))
    return [
        part(0, limb(neck, 0.17)),
        part(1, trough),
        part(2, quad(0, -0.1, 0.16, 2.25 * w, 2.25 * w)),
        part(3, quad(0, d * 0.9, d * 1.5, 0.22, 0.22)),
    ]


def mouse(vary: Vary, *, length: float, width: float, cable: float) -> list[Part]:
    """An egg with a wavy cable."""
    length, width = vary(length), vary(width)
    step = vary(cable) / 4
    bends = [0.9 + vary.turn(35), -1.3 + vary.turn(35), 1.1 + vary.turn(35)]
    wire = chain(0, -length * 0.45, np.pi - 0.3 + vary.turn(20), [step] * 4, bends)
    shell = ellipse(0, 0, width / 2, length / 2, power=2.3)
    return [
        part(0, limb(wire, 0.13)),
        part(1, shell),
        part(2, shell[18:]),
        part(3, ellipse(0, -length * 0.25, 0.07, 0.14)),
    ]
