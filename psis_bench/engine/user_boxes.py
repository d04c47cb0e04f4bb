"""Masks for boxes that a person gives, by any model of this package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from psis_bench.config import RunConfig
from psis_bench.engine import images  # noqa: F401 - registers LoadCheckedImage
from psis_bench.engine.checkpoints import load_weights, weights_sha256
from psis_bench.engine.device import use_device
from psis_bench.engine.predict import Predictor, encoded, load_predictor, settled
from psis_bench.models.compose import compose_run
from psis_bench.splits.categories import COCO_NAMES
from psis_bench.user_boxes.boxes import XYWH
from psis_bench.user_boxes.images import Request

# Boxes that pass through the mask head at once: enough to keep a processor busy, few enough for a deep head's memory.
_AT_ONCE = 32


class BoxSegmenter:
    """A model with weights that segments given boxes.

    Args:
        config: Names the model, and the device and its threads.
        weights: Weights of that model.

    Raises:
        UserError: The weights are missing, damaged, or of another model.
    """

    def __init__(self, config: RunConfig, weights: Path) -> None:
        loaded = load_weights(weights)
        # Weights from elsewhere do not say their classes; published ones are for those of COCO.
        composed: Config = compose_run(config, classes=loaded.classes or COCO_NAMES)
        device = use_device(config.device, config.threads)
        self.predictor: Predictor = load_predictor(composed, loaded, device=device, where=str(weights))
        self.pipeline = TRANSFORMS.build({"type": "Compose", "transforms": composed.test_pipeline})

    @property
    def sha256(self) -> str:
        """Hash of the weights."""
        return weights_sha256(self.predictor.model.state_dict())

    @torch.inference_mode()
    def segment(self, request: Request) -> list[str]:
        """Return the compressed run lengths of each box's mask, at the image's size.

        Raises:
            UserError: The image cannot be decoded, or is another than when it was measured.
        """
        record = {"height": request.height, "width": request.width}
        sample = self.pipeline({"img_path": str(request.path), "img_id": 0, **record})
        codes: list[str] = []
        for boxes, crops in self.crops_in_parts(sample, request.cut):
            frames = self.predictor.frames(boxes, record)
            masks = encoded(crops, frames, record, grid=self.predictor.mask_grid)
            codes += [mask["mask"] for mask in settled(masks)]
        return codes

    def crops_in_parts(self, sample: dict[str, Any], boxes: Sequence[XYWH]) -> Iterator[tuple[torch.Tensor, Any]]:
        """Yield boxes (N, 4) xyxy of a loaded image, some at a time, and what the model segments in them."""
        model = self.predictor.model
        data = model.data_preprocessor(pseudo_collate([sample]), False)
        features = model.extract_feat(data["inputs"])
        for part in _corners(boxes):
            yield part, model.masks_on_boxes(features, data["data_samples"], [part.to(self.predictor.device)])[0]


def _corners(boxes: Sequence[XYWH]) -> Iterator[torch.Tensor]:
    """Yield boxes (N, 4) xyxy, some at a time."""
    for start in range(0, len(boxes), _AT_ONCE):
        part = torch.tensor(boxes[start : start + _AT_ONCE], dtype=torch.float32)
        part[:, 2:] += part[:, :2]
        yield part
