from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from psis_bench.data.synthetic.families import FAMILIES
from psis_bench.data.synthetic.primitives import ellipse, limb, polar, sector, star
from psis_bench.data.synthetic.raster import EMPTY, draw, fill, pose, silhouette
from psis_bench.splits.categories import COCO_NAMES

SIZE = 64


@pytest.fixture(scope="module")
def silhouettes():
    return {name: silhouette(family.canonical(), SIZE) for name, family in FAMILIES.items()}


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_there_is_a_family_for_every_coco_class_and_no_other():
    assert sorted(FAMILIES) == sorted(COCO_NAMES)


def test_all_families_differ_from_each_other(silhouettes):
    nearest = max(
        (max(iou(silhouettes[a], silhouettes[b]), iou(silhouettes[a], silhouettes[b][:, ::-1])), a, b)
        for a, b in combinations(FAMILIES, 2)
    )

    assert nearest[0] < 0.85, nearest


def test_no_family_is_its_box_or_nearly_nothing(silhouettes):
    for name, mask in silhouettes.items():
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        share = mask.sum() / (np.ptp(rows) + 1) / (np.ptp(columns) + 1)
        assert 0.15 < share < 0.95, name


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_instances_vary_but_stay_within_their_family(name, silhouettes):
    instances = [silhouette(FAMILIES[name].instance(np.random.default_rng(seed)), SIZE) for seed in range(6)]

    assert len({mask.tobytes() for mask in instances}) == 6
    assert np.mean([iou(mask, silhouettes[name]) for mask in instances]) > 0.3
    assert len({piece.slot for piece in FAMILIES[name].canonical() if not piece.cut}) >= 2, "several materials"


def test_canonical_silhouettes_are_the_same_at_every_call(silhouettes):
    for name in ("person", "kite", "clock"):
        assert np.array_equal(silhouette(FAMILIES[name].canonical(), SIZE), silhouettes[name])


@pytest.mark.parametrize(
    ("shapes", "area"),
    [
        ([ellipse(50, 50, 40, 20)], np.pi * 40 * 20),
        ([ellipse(50, 50, 40, 20, angle=0.7)], np.pi * 40 * 20),
        ([ellipse(50, 50, 30, power=1)], 2 * 30 * 30),
        ([polar(50, 50, 30, {3: 0.2})], np.pi * 30**2 * (1 + 0.2**2 / 2)),
        ([star(50, 50, 40, 6, np.cos(np.pi / 6))], 6 * 0.5 * 40**2 * np.sin(np.pi / 3)),
        ([sector(50, 50, 40, 0, 90, inner=20)], np.pi * 40**2 * 0.75 / 4),
        (limb([(20, 50), (80, 50)], 20), 60 * 20 + np.pi * 10**2),
    ],
)
def test_areas_of_primitives_agree_with_their_formulas(shapes, area):
    canvas = np.full((100, 100), EMPTY, np.uint8)
    fill(canvas, shapes, 0)

    # OpenCV counts pixels that an edge touches: half a pixel more along the contour.
    assert (canvas == 0).sum() == pytest.approx(area, rel=0.08)


def test_pose_puts_the_box_where_it_is_asked():
    angle = 0.6
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    posed = pose(FAMILIES["giraffe"].canonical(), matrix, side=40, centre=(30, 70))

    points = np.concatenate([shape for piece in posed if not piece.cut for shape in piece.polygons])
    low, high = points.min(axis=0), points.max(axis=0)
    assert max(high - low) == pytest.approx(40)
    assert (low + high) / 2 == pytest.approx((30, 70))


def test_a_drawing_has_even_corners_and_its_margin_is_empty():
    for centre in ((10.3, 21.9), (-5.1, 4.2), (33.0, 0.0)):
        drawing = draw(pose(FAMILIES["donut"].canonical(), np.eye(2), side=31.7, centre=centre), margin=4)

        assert drawing.left % 2 == drawing.top % 2 == drawing.slots.shape[0] % 2 == drawing.slots.shape[1] % 2 == 0
        inner = drawing.mask[4:-4, 4:-4]
        assert inner.sum() == drawing.mask.sum() > 0
        height, width = drawing.slots.shape
        assert not drawing.mask[height // 2, width // 2], "the hole of a ring"
