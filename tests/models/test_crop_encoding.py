"""Mask crops as run lengths, against the encoded image; ``make exactness`` does it for 100,000 boxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from exactness import crops as exactness
from pycocotools import mask as coco_mask

from psis_bench.models import crop_encoding
from psis_bench.models.crop_encoding import encode_crops

HEIGHT, WIDTH = 23, 31


def decoded(codes: list[str], height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.stack([coco_mask.decode({"size": [height, width], "counts": code}) for code in codes])


def test_equals_pycocotools_encoding_of_the_pasted_image() -> None:
    problems = list(exactness.problems(4000))
    assert {problem.grid for problem in problems} == set(exactness.GRIDS)
    assert {problem.crops.shape[1] for problem in problems} == set(exactness.SIDES)
    assert [exactness.different(problem) for problem in problems] == [[]] * len(problems)


def test_a_few_at_a_time_are_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = next(iter(exactness.problems(250, seed=7)))
    crops, boxes, height, width, grid, threshold = problem
    whole = encode_crops(crops, boxes, height=height, width=width, grid=grid, threshold=threshold)
    monkeypatch.setattr(crop_encoding, "_PIXELS_AT_ONCE", 500)
    assert encode_crops(crops, boxes, height=height, width=width, grid=grid, threshold=threshold) == whole
    assert len(set(whole)) > 10


def test_a_full_crop_is_the_pixels_whose_centres_are_inside() -> None:
    box = torch.tensor([[1.4, 2.6, 6.6, 9.4]])
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[3:9, 1:7] = 1
    # At the box's border the value is near a half of the crop's: all of it is inside only where the crop is 1.
    assert np.array_equal(decoded(encode_crops(torch.ones(1, 4, 4), box, height=HEIGHT, width=WIDTH))[0], expected)


def test_boxes_without_a_pixel_are_empty_masks() -> None:
    boxes = torch.tensor([[40.0, 3, 50, 9], [-9, 3, -1, 9], [2.6, 2, 3.4, 9], [5, 5, 5, 5], [9, 9, 4, 4]])
    for grid in exactness.GRIDS:
        codes = encode_crops(torch.ones(5, 4, 4), boxes * 1.0, height=HEIGHT, width=WIDTH, grid=grid)
        empty = decoded(codes).reshape(5, -1).sum(axis=1) == 0
        assert empty[[0, 1, 4]].all()
        assert empty.all() or grid == "edges"  # pixels of that grid lie elsewhere
    assert encode_crops(torch.zeros(0, 4, 4), torch.zeros(0, 4), height=HEIGHT, width=WIDTH) == []


def test_values_that_are_not_finite() -> None:
    boxes = torch.tensor([[0.0, 0, 20, 20]]).repeat(3, 1)
    crops = torch.ones(3, 4, 4)
    crops[0, 1, 1], crops[1, 2, 2] = float("nan"), float("inf")
    masks = decoded(encode_crops(crops, boxes, height=HEIGHT, width=WIDTH))
    assert masks.reshape(3, -1).sum(axis=1)[:2].tolist() == [0, 0]
    assert masks[2, 1:19, 1:19].all()
    boxes[1, 2] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        encode_crops(crops, boxes, height=HEIGHT, width=WIDTH)
    with pytest.raises(ValueError, match=r"below 0\.5"):
        encode_crops(crops, boxes, height=HEIGHT, width=WIDTH, threshold=0.4)


def test_a_mask_that_reaches_the_last_pixel_ends_with_a_run_inside() -> None:
    boxes = torch.tensor([[-9.0, -9, 99, 99], [9, 9, 31, 31]])
    codes = encode_crops(torch.ones(2, 3, 3), boxes, height=20, width=20)
    masks = decoded(codes, 20, 20)
    assert masks[0].all()
    assert masks[1, 11:, 11:].all()
    assert codes == [coco_mask.encode(np.asfortranarray(mask))["counts"].decode() for mask in masks]
