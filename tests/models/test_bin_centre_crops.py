"""Deep-MARC's crop operator against a plain loop over points, and which level a box is cropped from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from psis_bench.models.bin_centre_crops import BinCentreAlign, BinCentreRoIExtractor

STRIDES = [4, 8, 16, 32, 64]


def sampled(feature: Any, box: tuple[float, ...], *, size: int, stride: int) -> Any:
    """One bilinear sample at the centre of each of size x size cells; whole numbers are the centres of cells."""
    x1, y1, x2, y2 = (side / stride for side in box)
    channels, height, width = feature.shape
    crop = np.zeros((channels, size, size))
    for row in range(size):
        for column in range(size):
            y, x = y1 + (row + 0.5) * (y2 - y1) / size, x1 + (column + 0.5) * (x2 - x1) / size
            y0, x0 = min(math.floor(y), height - 1), min(math.floor(x), width - 1)
            for at_y, part_y in ((y0, 1 - (y - y0)), (min(y0 + 1, height - 1), y - y0)):
                for at_x, part_x in ((x0, 1 - (x - x0)), (min(x0 + 1, width - 1), x - x0)):
                    crop[:, row, column] += part_y * part_x * feature[:, at_y, at_x]
    return crop


@pytest.mark.parametrize("stride", [4, 16])
def test_crops_are_samples_at_the_centres_of_cells(stride: int) -> None:
    feature = np.random.default_rng(0).normal(size=(3, 12, 10)).astype(np.float32)
    side = 10 * stride
    boxes = [(0.0, 0.0, side, side), (3.7, 1.2, 17.5, 30.0), (5.0, 6.0, 5.5, 7.0), (0.8 * side, 0.7 * side, side, side)]
    rois = torch.tensor([[0.0, *box] for box in boxes])
    crops = BinCentreAlign(output_size=6, spatial_scale=1 / stride)(torch.from_numpy(feature)[None], rois)
    for crop, box in zip(crops.numpy(), boxes, strict=True):
        np.testing.assert_allclose(crop, sampled(feature, box, size=6, stride=stride), atol=2e-5)


def test_a_box_of_less_than_a_cell_is_not_widened() -> None:
    """MMCV's RoIAlign of the same mode crops at least one cell."""
    ramp = torch.arange(8.0)[None, None, None].expand(1, 1, 8, 8).contiguous()
    crop = BinCentreAlign(output_size=2, spatial_scale=0.25)(ramp, torch.tensor([[0.0, 8.0, 8.0, 9.0, 9.0]]))
    # From 2 to 2.25 cells: points at 2 + 1/16 and 2 + 3/16.
    np.testing.assert_allclose(crop[0, 0], [[2.0625, 2.1875]] * 2, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "stride"),
    [(1, 4), (111, 4), (112, 8), (223.9, 8), (224, 16), (447, 16), (448, 32), (895, 32), (896, 64), (5000, 64)],
)
def test_levels_of_boxes(side: float, stride: int) -> None:
    """A square of 224 pixels is cropped from level 4, each doubling from one more; also from the coarsest level."""
    extractor = BinCentreRoIExtractor(
        roi_layer={"type": "BinCentreAlign", "output_size": 4}, out_channels=1, featmap_strides=STRIDES
    )
    roi = torch.tensor([[0.0, 10.0, 20.0, 10.0 + side, 20.0 + side]])
    assert STRIDES[int(extractor.map_roi_levels(roi, 5))] == stride
    # A wide box counts by its area.
    wide = torch.tensor([[0.0, 0.0, 0.0, 4 * side, side / 4]])
    assert STRIDES[int(extractor.map_roi_levels(wide, 5))] == stride


def test_levels_of_spinenet_begin_at_the_third() -> None:
    extractor = BinCentreRoIExtractor(
        roi_layer={"type": "BinCentreAlign", "output_size": 4}, out_channels=1, featmap_strides=[8, 16, 32, 64, 128]
    )
    rois = torch.tensor([[0.0, 0.0, 0.0, side, side] for side in (0.0, 100.0, 224.0, 448.0, 900.0, 1800.0)])
    assert extractor.map_roi_levels(rois, 5).tolist() == [0, 0, 1, 2, 3, 4]


def test_other_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="of type BinCentreAlign, not RoIAlign"):
        BinCentreRoIExtractor(roi_layer={"type": "RoIAlign", "output_size": 4}, out_channels=1, featmap_strides=STRIDES)
