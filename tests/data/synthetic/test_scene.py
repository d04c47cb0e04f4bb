from __future__ import annotations

import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest

from psis_bench.data.synthetic.families import FAMILIES
from psis_bench.data.synthetic.lighting import MARGIN, Light, relight
from psis_bench.data.synthetic.parameters import SceneParameters, SyntheticParameters
from psis_bench.data.synthetic.scene import compose, describe
from psis_bench.splits.categories import VOC_NAMES

COUNT = 200


@pytest.fixture(scope="module")
def scenes():
    cv2.setNumThreads(1)
    return [compose(SyntheticParameters(seed=3), subset="train", index=index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def things(scenes):
    return [(thing, scene.image) for scene in scenes for thing in scene.things]


def box_share(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return mask.sum() / (np.ptp(rows) + 1) / (np.ptp(columns) + 1)


def test_every_class_appears(things):
    counts = Counter(thing.name for thing, _ in things)

    assert set(counts) == set(FAMILIES)
    assert max(counts.values()) < 4 * len(things) / len(FAMILIES)


def test_voc_classes_have_the_share_that_they_have_in_coco(things):
    """573 of 1,000 instances of COCO train2017 are of VOC classes; five standard errors either way."""
    share = np.mean([thing.name in VOC_NAMES for thing, _ in things])

    assert abs(share - 0.573) < 5 * np.sqrt(0.57 * 0.43 / len(things))


def test_a_full_box_scores_as_on_photographs(things):
    """On coco_mini the full box has a class-mean IoU of 0.58."""
    shares = {name: np.mean([box_share(t.mask) for t, _ in things if t.name == name]) for name in FAMILIES}
    voc = np.mean([shares[name] for name in VOC_NAMES])
    other = np.mean([share for name, share in shares.items() if name not in VOC_NAMES])

    assert 0.43 < voc < 0.6
    assert 0.43 < other < 0.6
    assert abs(voc - other) < 0.06, "neither group is the easier one"


def surface(mask):
    """Pixels away from the object's own outline, which says something of its shape; all of them if it is thin."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return inner if inner.sum() >= 16 else mask


def appearance(scene):
    """Hue (2), brightness, spread of colour (3) and texture of each object, relative to the image's other objects."""
    rows = []
    for thing in scene.things:
        inside = surface(thing.mask)
        pixels = scene.image[inside].astype(float)
        edges = np.abs(cv2.Laplacian(scene.image.mean(axis=2), cv2.CV_64F))[inside]
        hue = np.diff(pixels / np.maximum(pixels.sum(axis=1, keepdims=True), 1)).mean(axis=0)
        rows.append([*hue, pixels.mean(), *pixels.std(axis=0), np.median(edges)])
    return np.array(rows) - np.mean(rows, axis=0)


def between_classes(scenes, seed):
    """Variance of appearance between classes, found and with shuffled class names (500 times)."""
    values = np.concatenate([appearance(scene) for scene in scenes])
    groups = np.array([sorted(FAMILIES).index(thing.name) for scene in scenes for thing in scene.things])

    def between(labels):
        counts = np.maximum(np.bincount(labels, minlength=len(FAMILIES)), 1)
        sums = np.stack([np.bincount(labels, weights=column, minlength=len(FAMILIES)) for column in values.T])
        return (sums**2 / counts).sum(axis=1) / (values**2).sum(axis=0)

    rng = np.random.default_rng(seed)
    return between(groups), np.array([between(rng.permutation(groups)) for _ in range(500)])


def test_without_materials_of_classes_neither_colour_nor_texture_tells_the_class():
    parameters = SyntheticParameters(seed=3, scene=SceneParameters(class_materials=0))
    found, chance = between_classes([compose(parameters, subset="train", index=index) for index in range(COUNT)], 0)

    assert (found[:2] < np.quantile(chance[:, :2], 0.99, axis=0)).all(), "hue"
    # Thin shapes have more of their own dark outline in them: brightness hints at the shape, no more than that.
    assert (found[2:] < 3 * chance[:, 2:].mean(axis=0)).all(), "brightness, contrast and texture"


def test_classes_have_materials_of_their_own(scenes):
    found, chance = between_classes(scenes, 0)

    assert (found[:3] > np.quantile(chance[:, :3], 0.99, axis=0)).all(), "hue and brightness"


def test_a_material_of_a_class_is_the_same_in_every_image():
    """Two objects of one class, in images of different palettes, all parts of the class's materials."""
    plain = {"clutter": 0, "markings": 0, "camouflage": 0, "overlap": 0, "noise": 0, "materials": 1}
    dark = {"outline_strength": 0, "rim_strength": 0, "shading_strength": 0, "shadow_strength": 0}
    scene = SceneParameters(class_materials=1, instances_min=1, instances_max=1, **plain, **dark)
    colours = {}
    for index in range(300):
        image = compose(SyntheticParameters(seed=5, scene=scene), subset="train", index=index)
        for thing in image.things:
            colours.setdefault(thing.name, []).append(image.image[surface(thing.mask)].mean(axis=0))
    repeated = [np.array(found) for found in colours.values() if len(found) > 2]
    within = np.mean([found.std(axis=0).mean() for found in repeated])
    across = np.array([found.mean(axis=0) for found in repeated]).std(axis=0).mean()

    assert len(repeated) > 20
    # A person shows more trousers in one picture than in another: not zero, but little.
    assert within < 0.5 * across


def test_inside_and_outside_share_their_colours(scenes):
    """The mean colour of an image's objects is no better than chance at telling object from ground."""
    differences = []
    for scene in scenes:
        figure = np.any([thing.mask for thing in scene.things], axis=0)
        differences.append(scene.image[figure].mean(axis=0) - scene.image[~figure].mean(axis=0))
    values = np.array(differences)

    assert (np.abs(values.mean(axis=0)) < 3 * values.std(axis=0) / np.sqrt(len(values)) + 6).all()


def test_numbers_sizes_and_occlusion_follow_the_parameters(scenes, things):
    scene = SceneParameters()
    numbers = [len(found.things) for found in scenes]
    assert max(numbers) <= scene.instances_max
    assert 4 <= np.mean(numbers) <= 8
    sides = [max(entry["bbox"][2:]) for found in scenes for entry in describe(found)]
    assert max(sides) <= scene.side_max + 2
    assert np.percentile(sides, 5) < 30
    assert np.percentile(sides, 95) > 70
    assert all(thing.mask.sum() >= 0.7 * scene.area_min for thing, _ in things)


def test_a_scene_without_difficulty_is_objects_on_plain_ground():
    easy = SceneParameters(clutter=0, overlap=0, markings=0, noise=0, materials=1, shadow_strength=0, rim_strength=0)
    found = compose(SyntheticParameters(size=96, scene=easy), subset="val", index=0)

    assert found.things
    assert found.image.dtype == np.uint8


def test_pixels_do_not_depend_on_the_process():
    code = (
        "import hashlib; from psis_bench.data.synthetic.scene import compose;"
        "from psis_bench.data.synthetic.parameters import SyntheticParameters as P;"
        "from psis_bench.console import out;"
        "out.print(hashlib.sha256(compose(P(size=64), subset='val', index=4).image.tobytes()).hexdigest(), width=100)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }

    assert len(found) == 1


def test_light_brightens_the_near_side_and_shadows_the_far_side():
    cover = np.zeros((40, 40), np.float32)
    cover[12:28, 12:28] = 1
    light = Light(direction=(-1.0, 0.0), outline=0.0, rim=0.5, shading=0.0, shadow=0.5, broken=0.0)
    after = relight(np.ones((40, 40), np.float32), cover, light, np.random.default_rng(0))

    assert after[20, 12] > 1.05
    assert after[20, 27] < 0.95
    assert after[20, 29] < 0.95
    assert after[20, 10] == pytest.approx(1, abs=0.03)
    assert after[20, 20] == pytest.approx(1, abs=0.03)
    assert np.all(after[: 12 - MARGIN] == 1)


def test_a_wholly_broken_contour_has_no_light():
    cover = np.zeros((40, 40), np.float32)
    cover[12:28, 12:28] = 1
    light = Light(direction=(-0.6, -0.8), outline=0.5, rim=0.5, shading=0.0, shadow=0.5, broken=1.0)
    after = relight(np.ones((40, 40), np.float32), cover, light, np.random.default_rng(0))

    assert after == pytest.approx(np.ones((40, 40)), abs=1e-6)
