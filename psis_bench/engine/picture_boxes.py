"""Mask crops for boxes on a picture in memory, before any threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmdet.registry import TRANSFORMS
from numpy.typing import NDArray

from psis_bench.config import RunConfig
from psis_bench.engine.user_boxes import BoxSegmenter
from psis_bench.user_boxes.boxes import XYWH


class Crops(NamedTuple):
    """Probabilities over boxes.

    Attributes:
        values: (N, S, S) float32 in [0, 1], row 0 at the top.
        frames: What each crop covers, (N, 4) float32, x1, y1, x2, y2 in pixels of the picture.
        grid: In which frame the crops are (`psis_bench.models.paste`).
    """

    values: NDArray[np.float32]
    frames: NDArray[np.float32]
    grid: str


class PictureSegmenter(BoxSegmenter):
    """A model with weights that segments given boxes of pictures in memory.

    Args:
        config: Names the model, and the device and its threads.
        weights: Weights of that model.
    """

    def __init__(self, config: RunConfig, weights: Path) -> None:
        super().__init__(config, weights)
        # The first transform reads a file; the others are the same.
        self.after_reading = TRANSFORMS.build({"type": "Compose", "transforms": []})
        self.after_reading.transforms = self.pipeline.transforms[1:]

    @torch.inference_mode()
    def crops(self, picture: NDArray[np.uint8], boxes: Sequence[XYWH]) -> Crops:
        """Return the mask crops of boxes.

        Args:
            picture: (H, W, 3) BGR, upright.
            boxes: x, y, width, height in its pixels, each inside it and with a positive area.
        """
        height, width = picture.shape[:2]
        sample = self.after_reading(
            {"img": picture, "img_shape": (height, width), "ori_shape": (height, width), "img_path": "", "img_id": 0}
        )
        corners, values = [torch.zeros((0, 4))], []
        for part, crops in self.crops_in_parts(sample, boxes):
            corners.append(part)
            values.append(crops.float().cpu())
        stacked = torch.cat(values).numpy() if values else np.zeros((0, 1, 1), np.float32)
        frames = self.predictor.frames(torch.cat(corners), {"height": height, "width": width})
        return Crops(stacked, frames.cpu().numpy(), self.predictor.mask_grid)
