"""Body plans of what lives: bipeds, quadrupeds, birds. One function is many families: its arguments are the class."""

from __future__ import annotations

import numpy as np

from psis_bench.data.synthetic.primitives import Part, Vary, chain, ellipse, limb, part, polygon


def biped(
    vary: Vary, *, torso: float, girth: float, head: float, arm: float, leg: float, width: float, ears: float = 0.0
) -> list[Part]:
    """Torso, head, two arms and two legs, each with a joint; ``ears`` is their radius."""
    torso, girth, head, width = vary(torso), vary(girth), vary(head), vary(width)
    shoulder, hip = -torso * 0.42, torso * 0.4
    arms, legs = [], []
    for side in (-1, 1):
        reach = vary(arm) / 2
        swing = side * (np.radians(45) + vary.turn(45))
        arms += limb(chain(side * girth * 0.4, shoulder, swing, [reach, reach], [vary.turn(50)]), width, width * 0.8)
        stride = vary(leg) / 2
        step = side * (np.radians(15) + vary.turn(18))
        joints = chain(side * girth * 0.24, hip, step, [stride, stride, width * 0.7], [vary.turn(20), side * 1.3])
        legs += limb(joints, width * 1.2, width)
    top = -torso / 2 - head * 0.85
    skull = [ellipse(vary.shift(0.05), top, head * 0.85, head)]
    if ears:
        skull += [ellipse(side * head * 0.75, top - head * 0.75, ears) for side in (-1, 1)]
    body = ellipse(0, 0, girth / 2, torso * 0.55, power=3)
    return [part(0, legs), part(1, arms), part(2, body), part(3, skull)]


def quadruped(
    vary: Vary,
    *,
    length: float,
    girth: float,
    leg: float,
    width: float,
    neck: float,
    lift: float,
    head: float,
    snout: float,
    tail: float,
    ears: float = 0.0,
    trunk: float = 0.0,
    fleece: bool = False,
) -> list[Part]:
    """Body on four legs, neck raised by ``lift`` degrees, head with snout and ears (or a trunk), tail."""
    length, girth, width, head = vary(length), vary(girth), vary(width), vary(head)
    legs = []
    for at in (-0.42, -0.3, 0.3, 0.42):
        half = vary(leg, 0.1) / 2
        legs += limb(chain(at * length, girth * 0.3, vary.turn(20), [half, half], [vary.turn(20)]), width, width * 0.8)
    body = [ellipse(0, 0, length * 0.55, girth / 2, power=2.6)]
    if fleece:
        body += [
            ellipse(length * 0.5 * np.cos(a), girth * 0.45 * np.sin(a), girth * 0.2) for a in np.arange(0, 6.2, 0.5)
        ]
    angle = np.pi / 2 + np.radians(lift) + vary.turn(15)
    joints = chain(length * 0.45, -girth * 0.15, angle, [max(vary(neck), 1e-3)])
    x, y = joints[-1]
    face = [
        ellipse(x, y, head, head * 0.8),
        *limb(chain(x, y, np.pi / 2 - 0.35 + vary.turn(15), [snout]), head, head * 0.7),
    ]
    if ears:
        face += limb(chain(x - head * 0.4, y - head * 0.5, np.pi * 0.95, [ears]), head * 0.7, head * 0.1)
        face += limb(chain(x + head * 0.2, y - head * 0.5, np.pi * 1.02, [ears]), head * 0.7, head * 0.1)
    if trunk:
        third = vary(trunk) / 3
        bends = [-0.3 + vary.turn(20), 0.5 + vary.turn(30)]
        face += limb(chain(x + head * 0.5, y, 0.4, [third] * 3, bends), head * 0.8, head * 0.35)
        face += [ellipse(x - head * 0.7, y + head * 0.1, head * 0.7, head)]
    rear = limb(
        chain(-length * 0.5, -girth * 0.2, -0.9 + vary.turn(45), [tail / 2, tail / 2], [vary.turn(50)]),
        width * 0.8,
        width * 0.5,
    )
    return [part(0, legs), part(1, rear), part(2, limb(joints, girth * 0.5, head)), part(3, body), part(4, face)]


def bird(vary: Vary, *, length: float, girth: float, wing: float, head: float, beak: float, leg: float) -> list[Part]:
    """Egg-shaped body, one raised wing, fanned tail, beak and two thin legs."""
    length, girth, head = vary(length), vary(girth), vary(head)
    tilt = vary.turn(15)
    raised = np.radians(150) + vary.turn(35)
    tip = chain(-0.1 * length, -0.1 * girth, -raised, [vary(wing)])[-1]
    feather = polygon(
        (-length * 0.3, 0.0), (tip[0] - 0.2, tip[1]), (tip[0] + 0.1, tip[1]), (length * 0.25, -girth * 0.1)
    )
    fan = polygon(
        (-length * 0.3, -girth * 0.2), (-length * 0.95, -girth * 0.35), (-length * 0.95, girth * 0.25), (-0.3, 0.2)
    )
    x, y = length * 0.45, -girth * 0.45
    bill = polygon((x, y - head * 0.4), (x + head + vary(beak), y + head * 0.2), (x, y + head * 0.5))
    feet = limb(chain(-0.05, girth * 0.4, vary.turn(15), [leg]), 0.09) + limb(
        chain(0.15, girth * 0.4, vary.turn(15), [leg]), 0.09
    )
    body = ellipse(0, 0, length / 2, girth / 2, angle=tilt - 0.3)
    return [part(0, feet), part(1, fan), part(2, body), part(3, ellipse(x, y, head)), part(4, bill), part(5, feather)]
