"""Body plans of food and round things: slices, rings, crescents, clusters, stacks."""

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
    polar,
    polygon,
    quad,
    sector,
    turned,
)


def crescent(vary: Vary, *, radius: float, sweep: float, width: float) -> list[Part]:
    """A thick arc with tapering ends and a stub."""
    half = vary(sweep) / 2
    path = arc(0, 0, vary(radius), 90 - half, 90 + half)
    middle = len(path) // 2
    girth = vary(width)
    stub = limb([path[0], path[0] + (path[0] - path[1]) * 0.9], girth * 0.35)
    return [
        part(1, stub),
        part(0, limb(path[: middle + 1], girth * 0.35, girth), limb(path[middle:], girth, girth * 0.35)),
        part(2, limb(path[middle - 1 : middle + 2], girth * 0.5)),
    ]


def fruit(vary: Vary, *, radius: float, dent: float, lobes: int, stem: float, leaves: int) -> list[Part]:
    """A round body with a dent (or lobes), a stem and leaves."""
    r = vary(radius)
    body = polar(0, 0, r, {1: 0.0, lobes: vary(dent, 0.3)}, phase=np.pi / 2 * (1 - lobes))
    top = -r * 0.8
    stalk = chain(0, top, np.pi + vary.turn(30), [vary(stem) + r * 0.2])
    parts = [part(1, limb(stalk, r * 0.16))]
    for index in range(leaves):
        angle = np.radians(-35 if index else 35) + vary.turn(20)
        parts.append(
            part(2, turned(ellipse(r * 0.5, 0, r * 0.5, r * 0.2), -angle) * (1 if index else -1, 1) + (0, top - 0.1))
        )
    return [*parts, part(0, body), part(3, ellipse(-r * 0.3, r * 0.25, r * 0.42, r * 0.36, angle=vary.turn(40)))]


def slice_of(vary: Vary, *, radius: float, opening: float, crust: float, bites: int) -> list[Part]:
    """A sector with a bulging crust and round bites out of its sides."""
    r, half = vary(radius), vary(opening) / 2
    parts = [part(0, sector(0, 0, r, 90 - half, 90 + half))]
    rim = arc(0, 0, r, 90 - half, 90 + half)
    parts.append(part(1, limb(rim, vary(crust))))
    parts.append(part(2, [ellipse(vary.shift(0.2), r * at, 0.13) for at in (0.45, 0.7)]))
    for index in range(bites):
        angle = np.radians(90 + (half if index == 0 else -half))
        at = r * (0.55 + vary.shift(0.15))
        parts.append(hole(ellipse(np.cos(angle) * at, np.sin(angle) * at, 0.2)))
    return parts


def ring(vary: Vary, *, radius: float, inner: float, squash: float) -> list[Part]:
    """A ring, half of it glazed."""
    r = vary(radius)
    s = vary(squash, 0.1)
    return [
        part(0, ellipse(0, 0, r, r * s)),
        part(1, sector(0, 0, r * 0.9, 200, 350) * (1, s)),
        hole(ellipse(0, 0, r * inner, r * inner * s)),
    ]


def disc(vary: Vary, *, radius: float, squash: float, dome: float) -> list[Part]:
    """A flat disc seen from the side with a dome on top."""
    r, s = vary(radius), vary(squash, 0.2)
    return [
        part(1, ellipse(0, -r * s * 0.7, r * 0.5, vary(dome))),
        part(0, ellipse(0, 0, r, r * s)),
        part(2, ellipse(0, -r * s * 0.25, r * 0.7, r * s * 0.5)),
    ]


def ball(vary: Vary, *, length: float, girth: float) -> list[Part]:
    """A pointed ball with a seam."""
    x, y = vary(length) / 2, vary(girth) / 2
    angle = np.linspace(0, np.pi, 20)
    top = np.stack([x * np.cos(angle), -y * np.sin(angle) ** 1.3], axis=1)
    body = np.concatenate([top, -top])
    return [
        part(0, body),
        part(1, quad(0, -y * 0.95, y * 0.95, x * 0.4, x * 0.4)),
        part(2, limb([(-x * 0.3, 0), (x * 0.3, 0)], 0.08)),
    ]


def wedge(vary: Vary, *, width: float, height: float, layers: int) -> list[Part]:
    """A triangular stack of layers, their edges standing out unevenly."""
    w, h = vary(width), vary(height)
    step = h / layers
    parts = []
    for index in range(layers):
        a, b = index / layers, (index + 1) / layers
        out = vary.shift(0.12)
        parts.append(
            part(
                index,
                polygon(
                    (-w * a / 2 - 0.1, a * h),
                    (w * a / 2 + out + 0.1, a * h),
                    (w * b / 2 + out + 0.1, a * h + step),
                    (-w * b / 2 - 0.1, a * h + step),
                ),
            )
        )
    return parts


def crown(vary: Vary, *, radius: float, florets: int, floret: float, stem: float, width: float) -> list[Part]:
    """A cluster of florets on a forked stem, like a tree."""
    parts = [part(0, limb([(0, vary(stem)), (0, 0)], width, width * 0.8))]
    for side in (-1, 0, 1):
        parts.append(part(0, limb(chain(0, stem * 0.4, np.pi + side * 0.75, [stem * 0.75]), width * 0.6)))
    for index in range(florets):
        angle = np.pi + np.pi * (index + 0.5) / florets
        x, y = radius * np.cos(angle), radius * 0.7 * np.sin(angle)
        parts.append(part(1 + index % 3, ellipse(x, y - 0.25, vary(floret, 0.25))))
    return parts


def root(vary: Vary, *, length: float, width: float, leaves: int, leaf: float) -> list[Part]:
    """A cone with leaves that spread from its broad end."""
    length, width = vary(length), vary(width)
    green = []
    for index in range(leaves):
        angle = np.pi + np.radians(np.linspace(-40, 40, leaves)[index]) + vary.turn(12)
        green += limb(chain(0, 0, angle, [leaf * 0.5, vary(leaf) * 0.5], [vary.turn(30)]), 0.09, 0.2)
    bend = vary.turn(14)
    body = limb(chain(0, 0.1, bend, [length / 3] * 3, [vary.turn(12), vary.turn(12)]), width, width * 0.15)
    return [part(0, green), part(1, body), part(2, limb(chain(0, 0.1 + length * 0.3, bend, [0.2]), width * 0.7))]


def bun(vary: Vary, *, length: float, girth: float, stick_out: float) -> list[Part]:
    """A sausage that sticks out of both ends of a two-lobed bun."""
    x, g = vary(length) / 2, vary(girth)
    curve = vary.shift(0.15)
    sausage = limb([(-x - stick_out, -curve), (0, curve * 0.4), (x + stick_out, -curve)], g * 0.5)
    halves = [
        part(index, limb([(-x * 0.8, side * g * 0.42), (x * 0.8, side * g * 0.42)], g * 0.7))
        for index, side in enumerate((-1, 1))
    ]
    return [*halves, part(2, sausage)]


def tiers(vary: Vary, *, widths: tuple[float, ...], height: float, candles: int) -> list[Part]:
    """A stack of tiers that grow downwards, candles on top."""
    parts = []
    y = 0.0
    for x in np.linspace(-widths[0] * 0.3, widths[0] * 0.3, candles):
        parts.append(part(4, limb([(x, -vary(0.4)), (x, 0)], 0.11)))
    for index, width in enumerate(widths):
        tall = vary(height)
        parts.append(part(index, quad(vary.shift(0.05), y, y + tall, vary(width, 0.06), width)))
        y += tall
    return [*parts, part(3, ellipse(0, y, widths[-1] * 0.62, 0.1, power=3))]


def figure_eight(vary: Vary, *, head: float, girth: float, ears: float) -> list[Part]:
    """A sitting bear: big head on a round belly, stub limbs and round ears."""
    h, g = vary(head), vary(girth)
    y = -g * 0.75 - h * 0.55
    limbs = []
    for side in (-1, 1):
        limbs += limb(chain(side * g * 0.6, -g * 0.35, side * 1.3 + vary.turn(35), [g * 0.6]), g * 0.42)
        limbs += limb(chain(side * g * 0.5, g * 0.6, side * 0.95 + vary.turn(18), [g * 0.65]), g * 0.5)
    return [
        part(0, limbs),
        part(1, ellipse(0, 0, g * 0.9, g)),
        part(2, [ellipse(side * h * 0.8, y - h * 0.7, vary(ears)) for side in (-1, 1)]),
        part(3, ellipse(vary.shift(0.08), y, h * 1.05, h)),
        part(4, ellipse(0, 0.1, g * 0.55, g * 0.6)),
    ]
