"""What a model must offer to be run, predicted with and scored here.

Training goes through MMDetection's own ``loss``; prediction goes through the three methods below, so
that the features of an image are computed once for its detections and for the masks on given boxes.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from mmengine.structures import InstanceData
from torch import Tensor


@runtime_checkable
class MaskPredictor(Protocol):
    """A model that segments the object in each given box and, if it has a detector, finds boxes itself.

    Mask crops are probabilities in [0, 1] over the box, shape (N, S, S), row 0 at the box's top. A model may say by
    ``mask_grid`` in which frame (`psis_bench.models.paste`); without it they are ``"cells"``. Where crops cover
    something else than the box, such as the box with a margin, the model has ``mask_frames(boxes, height, width)``,
    which returns the boxes (N, 4) that they cover in an image of that size, all xyxy in its pixels.
    """

    has_detector: bool

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the feature maps of a preprocessed batch (B, 3, H, W)."""
        ...

    def detect(self, features: tuple[Tensor, ...], samples: list[Any]) -> list[InstanceData]:
        """Return each image's ``bboxes`` (xyxy, original pixels), ``scores``, ``labels`` and ``mask_crops``."""
        ...

    def masks_on_boxes(self, features: tuple[Tensor, ...], samples: list[Any], boxes: list[Tensor]) -> list[Tensor]:
        """Return the mask crops (N, S, S) for each image's given boxes (N, 4), xyxy, pixels of the original image."""
        ...


def is_mask_predictor(model: object) -> bool:
    """Whether a model offers the whole interface of `MaskPredictor`."""
    return isinstance(model, MaskPredictor)


def boxes_in_input(boxes: Tensor, sample: Any) -> Tensor:
    """Scale boxes (N, 4) xyxy from the original image to the network's input."""
    return boxes * boxes.new_tensor(sample.scale_factor).repeat(2)
