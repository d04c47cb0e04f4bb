"""Body plans of what moves: wheels under a body, two wheels and a frame, wings, hulls."""

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
    mirrored,
    part,
    polygon,
    quad,
)


def wheeled(
    vary: Vary,
    *,
    length: float,
    height: float,
    wheels: int,
    wheel: float,
    cabin: tuple[float, float, float] | None = None,
    chimney: float = 0.0,
    gap: float | None = None,
    nose: float = 0.0,
) -> list[Part]:
    """A body on wheels.

    Args:
        vary: Differences between instances.
        length: Of the body.
        height: Of the body without cabin.
        wheels: Their number.
        wheel: Their radius.
        cabin: Centre, width and height of a trapezium on the roof.
        chimney: Height of a chimney near the front.
        gap: Where along the body (-0.5 to 0.5) a slot parts the front from the rest.
        nose: Length of a wedge in front.
    """
    length, height, wheel = vary(length), vary(height), vary(wheel, 0.2)
    x = length / 2
    parts = []
    if cabin:
        at, width, rise = cabin
        roof = quad(at * length, -height / 2 - vary(rise), -height * 0.3, width * length * 0.7, width * length)
        parts.append(part(1, roof))
    if chimney:
        parts.append(part(4, quad(x * 0.6, -height / 2 - vary(chimney), 0, 0.24, 0.16)))
    body = [ellipse(0, 0, x, height / 2, power=6)]
    if nose:
        body.append(polygon((x * 0.8, -height * 0.1), (x + vary(nose), height / 2), (x * 0.7, height / 2)))
    parts.append(part(2, body))
    if gap is not None:
        parts.append(
            part(3, ellipse((gap + 0.5) / 2 * length + 0.02, 0, (0.5 - gap) * length / 2, height * 0.4, power=5))
        )
        parts.append(hole(quad(gap * length, -height, height * 0.32, 0.1, 0.1)))
    places = np.linspace(-0.36, 0.36, wheels) * length
    parts.append(part(0, [ellipse(at, height / 2, wheel) for at in places]))
    return parts


def two_wheeler(vary: Vary, *, wheel: float, base: float, rim: float, tube: float, tank: float = 0.0) -> list[Part]:
    """Two wheels with a frame between them; open rings when ``rim`` is below 1, a body when ``tank`` is given."""
    wheel, base = vary(wheel), vary(base)
    back, front = -base / 2, base / 2
    parts = [part(0, ellipse(back, 0, wheel)), part(0, ellipse(front, 0, wheel))]
    if rim < 1:
        parts += [hole(ellipse(back, 0, wheel * rim)), hole(ellipse(front, 0, wheel * rim))]
    seat = (back * 0.35 + vary.shift(0.05), -vary(wheel * 1.35))
    head = (front * 0.7, -vary(wheel * 1.5))
    crank = (vary.shift(0.05), 0.05)
    frame = (
        limb([(back, 0), seat, crank, (back, 0)], tube)
        + limb([crank, head, seat], tube)
        + limb([head, (front, 0)], tube)
    )
    bar = limb([(head[0] - 0.18, head[1] - 0.12), head, (head[0] + 0.1, head[1] - 0.2)], tube)
    saddle = ellipse(seat[0], seat[1], 0.22, 0.08)
    parts += [part(1, frame), part(2, bar), part(3, saddle)]
    if tank:
        parts.append(part(4, ellipse(0, -wheel * 0.7, base * 0.33, tank, power=2.5, angle=vary.turn(8))))
        parts.append(part(5, ellipse(back * 0.6, -wheel * 1.1, base * 0.3, tank * 0.5, angle=-0.3)))
    return parts


def aircraft(
    vary: Vary, *, length: float, girth: float, span: float, sweep: float, chord: float, tail: float
) -> list[Part]:
    """Fuselage seen from above with swept wings and a tail plane."""
    length, span, girth = vary(length), vary(span), vary(girth)
    half = span / 2
    swept = vary(sweep)
    wing = polygon((0, -chord / 2), (half, -chord * 0.15 + swept), (half, chord * 0.2 + swept), (0, chord / 2))
    at = length * 0.42
    fin = polygon((0, at - 0.15), (tail, at + 0.1), (tail, at + 0.22), (0, at + 0.12))
    engines = [ellipse(side * half * 0.45, swept * 0.45 - 0.05, 0.07, 0.16) for side in (-1, 1)]
    return [
        part(0, engines),
        part(1, wing, mirrored(wing)),
        part(2, fin, mirrored(fin)),
        part(3, limb([(0, -length / 2), (0, 0), (0, length / 2)], girth, girth * 0.5)),
    ]


def sailboat(vary: Vary, *, length: float, hull: float, mast: float, sail: float, jib: float) -> list[Part]:
    """Hull with a mast and two triangular sails, gaps between them."""
    length, mast = vary(length), vary(mast)
    x = length / 2
    boat = polygon((-x, 0), (x, 0), (x * 0.72, vary(hull)), (-x * 0.7, vary(hull)))
    main = polygon((0.06, -mast), (0.06 + vary(sail, 0.25), -0.14), (0.06, -0.14))
    fore = polygon((-0.06, -mast * 0.85), (-0.06 - vary(jib, 0.25), -0.1), (-0.06, -0.1))
    return [part(0, limb([(0, 0.05), (0, -mast * 1.05)], 0.08)), part(1, main), part(2, fore), part(3, boat)]


def kite(vary: Vary, *, width: float, height: float, tail: float, bows: int) -> list[Part]:
    """Diamond with a wavy tail that carries bows."""
    w, h = vary(width) / 2, vary(height)
    sail = polygon((0, -h * 0.4), (w, 0), (0, h * 0.6), (-w, 0))
    step = vary(tail) / 4
    line = chain(
        0, h * 0.6, 0.3 + vary.turn(30), [step] * 4, [0.8 + vary.turn(40), -1.2 + vary.turn(40), 0.9 + vary.turn(40)]
    )
    knots = [ellipse(x, y, 0.13, 0.09, angle=vary.turn(60)) for x, y in line[1 : bows + 1]]
    return [
        part(0, limb(line, 0.07)),
        part(1, knots),
        part(2, sail),
        part(3, polygon((0, -h * 0.4), (w, 0), (0, h * 0.6))),
    ]


def umbrella(vary: Vary, *, radius: float, squash: float, ribs: int, stick: float, hook: float) -> list[Part]:
    """Scalloped canopy on a stick with a hooked handle."""
    radius = vary(radius)
    dome = [(radius * np.cos(a), radius * squash * np.sin(a)) for a in np.radians(np.linspace(180, 360, 25))]
    edge = []
    for index in range(ribs):
        left = radius - 2 * radius * index / ribs
        edge.append((left, 0.0))
        edge.append((left - radius / ribs, -0.12))
    canopy = polygon(*dome, *edge[1:])
    length = vary(stick)
    shaft = limb([(0, -radius * squash * 1.12), (0, length)], 0.08)
    grip = limb(arc(-hook, length, hook, 0, 170), 0.1)
    return [part(0, shaft), part(1, grip), part(2, canopy)]
