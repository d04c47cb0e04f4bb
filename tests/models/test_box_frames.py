"""Maps in the frames of boxes, held to PyTorch's own grid sampling and to closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from mmdet.structures.bbox import bbox2roi
from torch import Tensor
from torch.nn import functional
from torchvision.ops import roi_align

from psis_bench.models.box_frames import (
    clipped,
    jittered,
    levels_by_longest_side,
    outer_boxes,
    pyramid_crops,
    reframed,
)

BOXES = torch.tensor([[10.0, 20.0, 50.0, 40.0], [0.0, 0.0, 30.0, 60.0], [5.5, 7.25, 9.0, 70.0]])


def test_the_same_frame_changes_nothing() -> None:
    maps = torch.rand(3, 16, 16)
    torch.testing.assert_close(reframed(maps, BOXES, BOXES, 16), maps)


@pytest.mark.parametrize("size", [5, 16])
def test_reframed_is_bilinear_sampling_with_zeros_outside(size: int) -> None:
    maps = torch.rand(3, 12, 9, generator=torch.manual_seed(0))
    target = BOXES + torch.tensor([[-4.0, 3.0, 8.0, 5.0], [6.0, 6.0, -6.0, -6.0], [-9.0, -9.0, 9.0, 9.0]])
    steps = (torch.arange(size) + 0.5) / size
    # Grid sampling has -1 and 1 at the map's edges.
    x, y = (
        2
        * (target[:, k, None] + steps * (target[:, k + 2] - target[:, k])[:, None] - BOXES[:, k, None])
        / (BOXES[:, k + 2] - BOXES[:, k])[:, None]
        - 1
        for k in (0, 1)
    )
    grid = torch.stack([x[:, None, :].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], dim=-1)
    wanted = functional.grid_sample(maps[:, None], grid, padding_mode="zeros", align_corners=False)[:, 0]
    torch.testing.assert_close(reframed(maps, BOXES, target, size), wanted, atol=1e-5, rtol=1e-5)


def test_margins_and_moves() -> None:
    outer = outer_boxes(BOXES, 60, 52, scale=1.25)
    assert outer[0].tolist() == [5.0, 17.5, 52.0, 42.5]  # 55 is cut off
    assert outer[1].tolist() == [0.0, 0.0, 33.75, 60.0]
    torch.testing.assert_close(jittered(BOXES, torch.zeros(3, 4)), BOXES)
    moved = jittered(BOXES[:1], torch.tensor([[0.1, -0.1, math.log(2), 0.0]]))
    torch.testing.assert_close(moved, torch.tensor([[-6.0, 18.0, 74.0, 38.0]]))
    assert clipped(moved, 30, 60).tolist() == [[0.0, 18.0, 60.0, 30.0]]


def test_a_box_is_cropped_from_the_level_of_its_size() -> None:
    boxes = torch.tensor([[0.0, 0, 30, 32], [0, 0, 600, 10], [0, 0, 257, 10], [0, 0, 256, 256], [3, 3, 3, 3]])
    levels = levels_by_longest_side(boxes, strides=(8, 16, 32), size=32)
    assert levels.tolist() == [0, 2, 1, 0, 0]
    features = tuple(torch.rand(2, 4, 80 >> level, 80 >> level) for level in range(3))
    rois = torch.cat([torch.tensor([[0.0], [1], [1], [0], [0]]), boxes], dim=1)
    crops = pyramid_crops(features, rois, levels, strides=(8, 16, 32), size=6, samples=1)
    for crop, roi, level in zip(crops, rois, levels.tolist(), strict=True):
        wanted = roi_align(features[level], roi[None], (6, 6), 1 / (8 << level), 1, True)[0]
        torch.testing.assert_close(crop, wanted)
    assert pyramid_crops(features, rois[:0], levels[:0], strides=(8, 16, 32), size=6, samples=1).shape == (0, 4, 6, 6)


def test_boxes_know_their_image() -> None:
    rois: Tensor = bbox2roi([BOXES[:1], BOXES[:0], BOXES[1:]])
    assert rois[:, 0].tolist() == [0, 2, 2]
    torch.testing.assert_close(rois[:, 1:], BOXES)
