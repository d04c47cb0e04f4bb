"""Segment Anything (SAM) as a box-prompted segmenter: an optional extra, with weights that the user has.

Source: the package ``segment-anything`` 1.0 (Kirillov et al., *Segment Anything*, ICCV 2023). Its `SamPredictor` does
the work; for a box its single mask is taken (``multimask_output=False``), as its authors advise.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from numpy.typing import NDArray

from psis_bench.errors import UserError, did_you_mean


@MODELS.register_module()
class SegmentAnything:
    """SAM on boxes, on the GPU where there is one.

    Args:
        variant: ``vit_b``, ``vit_l`` or ``vit_h``: what the weights are of.
        weights: A ``.pth`` file of plain tensors or a ``.safetensors`` file; nothing else in it is ever run.
        boxes_at_once: Boxes that pass through its mask decoder together.

    Raises:
        UserError: The package or the weights are missing, or they are of another variant.
    """

    extra_masks = "SA-1B: 1.1 billion masks of objects of any class"

    def __init__(self, *, variant: str, weights: str | None, boxes_at_once: int = 32) -> None:
        if importlib.util.find_spec("segment_anything") is None:
            raise UserError("Segment Anything is not installed", cure="pip install 'psis_bench[sam]'")
        self._package = importlib.import_module("segment_anything")
        if variant not in self._package.sam_model_registry:
            raise UserError(
                f"Segment Anything has no variant {variant!r}",
                cure=did_you_mean(variant, self._package.sam_model_registry),
            )
        if weights is None:
            raise UserError("no weights of Segment Anything are given", cure="add mm.model.segmenter.weights=FILE")
        self.weights = Path(weights).expanduser()
        self.variant = variant
        self.boxes_at_once = boxes_at_once
        self._predictor: Any = None

    def segment(self, image: NDArray[np.uint8], boxes: NDArray[np.float64]) -> list[NDArray[np.bool_]]:
        """See `psis_bench.models.prompted.BoxSegmenter.segment`."""
        predictor = self._predictor = self._predictor or self._load()
        predictor.set_image(image)
        found: list[NDArray[np.bool_]] = []
        given = torch.as_tensor(boxes, dtype=torch.float32, device=predictor.device)
        for first in range(0, len(given), self.boxes_at_once):
            part = given[first : first + self.boxes_at_once]
            prompts = predictor.transform.apply_boxes_torch(part, image.shape[:2])
            masks, _, _ = predictor.predict_torch(
                point_coords=None, point_labels=None, boxes=prompts, multimask_output=False
            )
            found += list(masks[:, 0].cpu().numpy())
        return found

    def _load(self) -> Any:
        from psis_bench.engine.checkpoints import load_weights

        loaded = load_weights(self.weights)
        model = self._package.sam_model_registry[self.variant](checkpoint=None)
        try:
            model.load_state_dict(loaded.tensors)
        except RuntimeError as error:
            raise UserError(
                f"are no weights of Segment Anything's {self.variant}",
                where=str(self.weights),
                cure="give mm.model.segmenter.variant= the variant that they are of",
            ) from error
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return self._package.SamPredictor(model.to(device).eval())
