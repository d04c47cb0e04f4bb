"""Models whose masks come from a box-prompted segmenter: boxes and image in, masks out.

The segmenter learns nothing here. GrabCut is one (`GrabCut`), SAM another (`psis_bench.models.segment_anything`), and
any object with the two members of `BoxSegmenter` will do: docs/models/promptable.md. It is scored by the same protocol
as every other model, on given boxes and, with `DetectThenPrompt`, in detected ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from mmdet.models.detectors import FasterRCNN
from mmdet.models.detectors.base import BaseDetector
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from numpy.typing import NDArray
from torch import Tensor, nn

from psis_bench.errors import UserError
from psis_bench.files import sha256_of_file
from psis_bench.grabcut.cut import CutSettings
from psis_bench.grabcut.pool import GrabCutPool
from psis_bench.rle import encode_crop

Mask = str | Future[str]
"""Compressed run lengths of a mask in its image, perhaps still being computed."""

OTHER_WEIGHTS = "give the weights that the run began with, or predict with them from the start: overwrite=all"


@runtime_checkable
class BoxSegmenter(Protocol):
    """What a segmenter must offer. It may also have ``weights``, the path of the file that it reads.

    Attributes:
        extra_masks: Which masks it has learned from beyond those that a split allows, in a few words, such as ``"SA-1B:
            1.1 billion masks of any class"``; None for none. Every result of it is marked with these words.
    """

    extra_masks: str | None

    def segment(self, image: NDArray[np.uint8], boxes: NDArray[np.float64]) -> Sequence[Any]:
        """Segment the object in each box.

        Args:
            image: uint8 (H, W, 3), RGB, in its original size.
            boxes: float64 (N, 4) xyxy in its pixels; N is at least 1.

        Returns:
            N masks: bool (H, W), or compressed run lengths, or futures of those.
        """
        ...


class Prompting(nn.Module):
    """Asks a segmenter for masks, and remembers which file its weights are from.

    Args:
        segmenter: Config of the segmenter; ``type`` is a registered name or ``module.Class``.

    Raises:
        UserError: The segmenter cannot be made, or its weights are missing.
    """

    def __init__(self, segmenter: dict[str, Any]) -> None:
        super().__init__()
        made = _made(segmenter)
        # In a list, so that it is no submodule: its weights are the user's, and go into no checkpoint. Their hash does.
        self._segmenter: list[BoxSegmenter] = [made]
        weights = getattr(made, "weights", None)
        self.where = str(weights)
        if weights is not None and not Path(weights).is_file():
            raise UserError("no such file", where=self.where, cure="give the segmenter's weights")
        digest = bytes(32) if weights is None else bytes.fromhex(sha256_of_file(Path(weights)))
        self.without_weights = weights is None
        self.register_buffer("weights_sha256", torch.tensor(list(digest), dtype=torch.uint8))

    @property
    def segmenter(self) -> BoxSegmenter:
        """The segmenter."""
        return self._segmenter[0]

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        known = state_dict.get(f"{prefix}weights_sha256")
        if known is not None and not torch.equal(known.cpu(), torch.as_tensor(self.weights_sha256).cpu()):
            raise UserError("the segmenter's weights are another file now", where=self.where, cure=OTHER_WEIGHTS)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def masks(self, sample: Any, boxes: Tensor) -> list[Mask]:
        """Return the mask in each box (N, 4), xyxy in pixels of the original image of a sample."""
        if not len(boxes):
            return []
        image = sample.original_image
        found = self.segmenter.segment(image, boxes.detach().cpu().double().numpy())
        if not isinstance(found, Sized):
            raise UserError(f"{self._name} returned {type(found).__name__}, not a mask for each box")
        if len(found) != len(boxes):
            raise UserError(f"{self._name} returned {len(found)} masks for {len(boxes)} boxes")
        return [self._encoded(mask, image.shape[:2]) for mask in found]

    def _encoded(self, mask: Any, size: tuple[int, int]) -> Mask:
        if isinstance(mask, str | Future):
            return mask
        full = np.asarray(mask.cpu() if isinstance(mask, Tensor) else mask)
        if full.shape != size or full.dtype != np.bool_:
            raise UserError(f"{self._name} returned a mask of {full.dtype} {full.shape}, not of bool {size}")
        return encode_crop(full, x=0, y=0, height=size[0], width=size[1])

    @property
    def _name(self) -> str:
        return type(self.segmenter).__name__


def _made(config: dict[str, Any]) -> BoxSegmenter:
    """Build a segmenter.

    Raises:
        UserError: There is none of that name, its arguments do not fit, or it is no segmenter.
    """
    name = str(config["type"])
    try:
        known = MODELS.get(name)
    except RuntimeError:  # what importing its module raised
        known = None
    if known is None:
        raise UserError(
            f"there is no segmenter {name!r}",
            cure="give mm.model.segmenter.type=module.Class of a module that Python can import, e.g. with PYTHONPATH=.",
        )
    try:
        made = MODELS.build(config)
    except TypeError as error:
        raise UserError(
            f"the segmenter {name} cannot be made: {error}",
            cure="give its arguments as +mm.model.segmenter.NAME=VALUE",
        ) from error
    if not isinstance(made, BoxSegmenter):
        raise UserError(
            f"{type(made).__name__} is no box-prompted segmenter",
            cure="give it extra_masks and segment(image, boxes) as in docs/models/promptable.md",
        )
    return made


class Prompted:
    """What models with `Prompting` share: masks in given boxes, and what those have been learned from."""

    learns_no_masks = True
    prompting: Prompting

    @property
    def extra_masks(self) -> str | None:
        """See `BoxSegmenter`."""
        return self.prompting.segmenter.extra_masks

    def masks_on_boxes(self, features: tuple[Tensor, ...], samples: list[Any], boxes: list[Tensor]) -> list[list[Mask]]:
        """Return the run lengths of the masks in each image's boxes, xyxy in pixels of the original image."""
        return [self.prompting.masks(sample, given) for sample, given in zip(samples, boxes, strict=True)]


@MODELS.register_module()
class PromptOnBoxes(Prompted, BaseDetector):
    """A segmenter and nothing else: it is given its boxes, and nothing is trained.

    Args:
        segmenter: Config of a `BoxSegmenter`.
        data_preprocessor: Config of a data preprocessor.
    """

    has_detector = False

    def __init__(self, *, segmenter: dict[str, Any], data_preprocessor: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.prompting = Prompting(segmenter)

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Return no features: a segmenter looks at the image itself."""
        return ()

    def detect(self, features: tuple[Tensor, ...], samples: list[Any]) -> list[InstanceData]:
        """Refuse: there is no detector."""
        raise NotImplementedError("there is no detector; give boxes to masks_on_boxes")

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[Any]) -> dict[str, Tensor]:
        """Refuse: nothing is trained."""
        raise NotImplementedError("there is nothing to train")

    def predict(self, batch_inputs: Tensor, batch_data_samples: list[Any], rescale: bool = True) -> list[Any]:
        """Refuse: boxes are needed."""
        raise NotImplementedError("give boxes to masks_on_boxes")

    def _forward(self, batch_inputs: Tensor, batch_data_samples: list[Any] | None = None) -> tuple[Tensor, ...]:
        return ()


@MODELS.register_module()
class DetectThenPrompt(Prompted, FasterRCNN):
    """MMDetection's Faster R-CNN, trained on boxes alone, and a segmenter in the boxes that it finds.

    Args:
        segmenter: Config of a `BoxSegmenter`.
        **kwargs: Arguments of `mmdet.models.FasterRCNN`.
    """

    has_detector = True

    def __init__(self, *, segmenter: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prompting = Prompting(segmenter)

    def detect(self, features: tuple[Tensor, ...], samples: list[Any]) -> list[InstanceData]:
        """Return each image's detections, boxes in pixels of the original image."""
        proposals = self.rpn_head.predict(features, samples, rescale=False)
        found: list[InstanceData] = self.roi_head.predict(features, proposals, samples, rescale=True)
        for results, sample in zip(found, samples, strict=True):
            results.mask_crops = self.prompting.masks(sample, results.bboxes)
        return found


@MODELS.register_module()
class GrabCut:
    """OpenCV's GrabCut as a segmenter; see `psis_bench.grabcut.cut.CutSettings` for its arguments.

    It runs in as many processes as torch has threads (``threads=``); the masks do not depend on how many.
    """

    extra_masks = None

    def __init__(self, **settings: Any) -> None:
        self.settings = CutSettings(**settings)
        self._pool: GrabCutPool | None = None

    def segment(self, image: NDArray[np.uint8], boxes: NDArray[np.float64]) -> Sequence[Future[str]]:
        """See `BoxSegmenter.segment`."""
        if self._pool is None:
            self._pool = GrabCutPool(self.settings, processes=torch.get_num_threads())
        return self._pool.submit(image, boxes)


@MODELS.register_module()
class FullBoxes:
    """The box itself as the mask in it: the trivial row, and the shortest example of a segmenter."""

    extra_masks = None

    def segment(self, image: NDArray[np.uint8], boxes: NDArray[np.float64]) -> Sequence[NDArray[np.bool_]]:
        """See `BoxSegmenter.segment`. A pixel belongs to a box when its centre does."""
        rows, columns = np.ogrid[0.5 : image.shape[0], 0.5 : image.shape[1]]
        return [(columns >= x1) & (columns < x2) & (rows >= y1) & (rows < y2) for x1, y1, x2, y2 in boxes]
