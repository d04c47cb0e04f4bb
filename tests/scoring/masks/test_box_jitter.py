"""Boxes that are moved: by how much, always the same way, never out of the image."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from psis_bench.errors import UserError
from psis_bench.scoring.masks.box_jitter import box_sets, folder_of, jittered_boxes, read_strengths, strength_of


def test_a_box_goes_where_the_hash_of_its_id_says() -> None:
    digest = hashlib.sha256(b"box_jitter/4711").digest()
    u = [int.from_bytes(digest[4 * i : 4 * i + 4], "little") / 2**32 * 2 - 1 for i in range(4)]
    x, y, w, h = jittered_boxes(
        np.array([[300.0, 400.0, 80.0, 50.0]]), np.array([4711]), np.array([[1000, 900]]), strength=0.2
    )[0]
    assert (w, h) == pytest.approx((80 * (1 + 0.2 * u[2]), 50 * (1 + 0.2 * u[3])))
    assert (x + w / 2, y + h / 2) == pytest.approx((340 + 0.2 * 80 * u[0], 425 + 0.2 * 50 * u[1]))


def test_moves_are_uniform_and_do_not_depend_on_the_others() -> None:
    ids = np.arange(20_000)
    boxes, sizes = np.tile([5000.0, 5000.0, 100.0, 100.0], (len(ids), 1)), np.tile([20_000, 20_000], (len(ids), 1))
    moved = jittered_boxes(boxes, ids, sizes, strength=0.1)
    factors = np.stack([*((moved[:, :2] + moved[:, 2:] / 2 - 5050) / 10).T, *((moved[:, 2:] / 100 - 1) / 0.1).T])
    assert factors.min() >= -1 - 1e-9
    assert factors.max() < 1
    np.testing.assert_allclose(factors.mean(axis=1), 0, atol=0.02)
    np.testing.assert_allclose(np.corrcoef(factors), np.eye(4), atol=0.03)
    np.testing.assert_allclose(factors.std(axis=1), 1 / np.sqrt(3), atol=0.01)
    order = np.random.default_rng(0).permutation(len(ids))[:100]
    np.testing.assert_array_equal(jittered_boxes(boxes[order], ids[order], sizes[order], strength=0.1), moved[order])
    # A strength says only how far: twice as far in the same direction.
    further = jittered_boxes(boxes, ids, sizes, strength=0.2)
    np.testing.assert_allclose(further[:, 2:] - 100, 2 * (moved[:, 2:] - 100), atol=1e-6)


def test_boxes_stay_in_the_image_and_keep_a_pixel() -> None:
    random = np.random.default_rng(1)
    sizes = random.integers(4, 50, (3000, 2))
    start = random.random((3000, 2)) * (sizes[:, ::-1] - 1)
    extent = np.minimum(random.random((3000, 2)) * 60 + 0.1, sizes[:, ::-1] - start)
    moved = jittered_boxes(np.concatenate([start, extent], axis=1), np.arange(3000), sizes, strength=0.5)
    assert moved[:, :2].min() >= 0
    assert moved[:, 2:].min() >= 1 - 1e-12
    assert (moved[:, :2] + moved[:, 2:] <= sizes[:, ::-1] + 1e-9).all()


def test_strengths_as_they_are_typed() -> None:
    assert read_strengths("0.3,0.05") == (0.05, 0.3)
    for text in ("", "0", "0.6", "-0.1", "nan", "0.1;0.2", "much", "0.1,"):
        with pytest.raises(UserError, match="is not a share of a box's size"):
            read_strengths(text)
    with pytest.raises(UserError, match="a strength twice"):
        read_strengths("0.1,0.10")


def test_each_set_of_boxes_has_its_folder() -> None:
    instances = [{"id": 3, "bbox": [1, 2, 30, 40]}, {"id": 5, "bbox": [5.5, 6, 7, 8]}]
    sets = box_sets(instances, {"height": 100, "width": 90}, (0.1, 0.25))
    assert list(sets) == ["gt_box_masks", "jittered_boxes_0.1", "jittered_boxes_0.25"]
    assert sets["gt_box_masks"].tolist() == [[1, 2, 30, 40], [5.5, 6, 7, 8]]
    assert [strength_of(Path("found", folder)) for folder in sets] == [None, 0.1, 0.25]
    for strength in (1 / 3, 1e-5, 0.5):
        assert strength_of(Path(folder_of(strength))) == strength
    assert box_sets([], {"height": 100, "width": 90}, (0.1,))["jittered_boxes_0.1"].shape == (0, 4)


@pytest.mark.parametrize("text", ["x", "", "nan", "inf", "-inf", "-0.1", "0", "0.0", "0.51", "1", "10%"])
def test_a_folder_of_no_strength_is_named(text: str) -> None:
    with pytest.raises(UserError, match=r"is not a strength above 0 and at most 0\.5; name the folder as in jittered_"):
        strength_of(Path(f"jittered_boxes_{text}"))


@pytest.mark.parametrize("text", ["0.10", "1e-1", ".1", "+0.1", " 0.1", "0.1_0", "00.1"])
def test_a_strength_has_one_form(text: str) -> None:
    with pytest.raises(UserError, match=r"the strength is written 0\.1; name the folder jittered_boxes_0\.1$"):
        strength_of(Path(f"jittered_boxes_{text}"))
