"""The training set: MMDetection's COCO data set with mask supervision restricted as it is read.

Masks of classes outside the split are gone before any transform sees them, and every instance says
whether it has one. Boxes always stay. Two ways in which MMDetection would break the protocol silently
are closed here: it raises on an instance without a mask, and it drops the *box* of an instance whose
mask is empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.datasets.transforms import LoadAnnotations, PackDetInputs
from mmdet.registry import DATASETS, TRANSFORMS

from psis_bench.data.supervision import restrict_masks
from psis_bench.engine import colour_jitter, images, square_crop, window_crop  # noqa: F401 - registers transforms
from psis_bench.errors import UserError


@DATASETS.register_module()
class PartiallySupervisedDataset(CocoDataset):
    """A COCO-format training set in which only instances of the seen classes carry masks.

    Args:
        seen_ids: Category ids (of the annotation file) with mask supervision.
        only_with_masks: Leave out images on which no instance has a mask. For models that learn from masks alone:
            to them such an image is an iteration without a loss.
        **kwargs: Arguments of `mmdet.datasets.CocoDataset`.

    Every instance of a sample has ``has_mask`` (bool) and, when true, ``mask`` as in the file.

    Raises:
        UserError: No image is left to train on.
    """

    def __init__(self, *, seen_ids: Iterable[int], only_with_masks: bool = False, **kwargs: Any) -> None:
        # Before the base class reads the file, which it does in its constructor.
        self.seen_ids = frozenset(seen_ids)
        self.only_with_masks = only_with_masks
        super().__init__(**kwargs)

    def filter_data(self) -> list[dict[str, Any]]:
        """Return the records of the images to train on."""
        records: list[dict[str, Any]] = super().filter_data()
        if self.only_with_masks:
            records = [record for record in records if any(map(_has_learnable_mask, record["instances"]))]
        if not records:
            lacking = "a mask of a seen class" if self.only_with_masks else "a box"
            raise UserError(
                f"no image has {lacking}",
                where=str(self.ann_file),
                cure="train on a file that has some, or choose another split=",
            )
        return records

    def parse_data_info(self, raw_data_info: dict[str, Any]) -> dict[str, Any]:
        """Parse one image's record after taking away the masks that the split withholds."""
        restricted = [restrict_masks(raw, seen_ids=self.seen_ids) for raw in raw_data_info["raw_ann_info"]]
        parsed: dict[str, Any] = super().parse_data_info({**raw_data_info, "raw_ann_info": restricted})
        for instance in parsed["instances"]:
            instance["has_mask"] = "mask" in instance
        return parsed


def _has_learnable_mask(instance: dict[str, Any]) -> bool:
    return bool(instance["has_mask"]) and not instance["ignore_flag"]


@TRANSFORMS.register_module()
class LoadMaskSupervision(LoadAnnotations):
    """Load boxes, labels, masks and ``gt_has_mask``; an instance without a mask gets an all-zero one.

    Adds to the results ``gt_has_mask``, bool of shape (N,), in the order of ``gt_bboxes``. The zero mask
    is a place holder that keeps masks and boxes aligned through augmentation; no loss ever reads it.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(with_bbox=True, with_label=True, with_mask=True, poly2mask=True, **kwargs)

    def _process_masks(self, results: dict[str, Any]) -> list[Any]:
        height, width = results["ori_shape"]
        # Given as run lengths: an empty polygon would make the base class ignore the instance's box.
        nothing = {"size": [height, width], "counts": [height * width]}
        results["gt_has_mask"] = np.array([instance["has_mask"] for instance in results["instances"]], dtype=bool)
        for instance in results["instances"]:
            instance.setdefault("mask", nothing)
        masks: list[Any] = super()._process_masks(results)
        return masks

    def _load_masks(self, results: dict[str, Any]) -> None:
        super()._load_masks(results)
        # A polygon that covers no pixel's centre is no mask, as in scoring; its box stays.
        results["gt_has_mask"] &= results["gt_masks"].masks.any(axis=(1, 2))


@TRANSFORMS.register_module()
class PackMaskSupervision(PackDetInputs):
    """Pack a sample for the detector, with ``has_mask`` (bool, (N,)) among the ground-truth instances.

    Raises:
        ValueError: A transform dropped instances without dropping their ``gt_has_mask``. Masks and
            boxes would be paired wrongly, so this is never let through.
    """

    mapping_table = {**PackDetInputs.mapping_table, "gt_has_mask": "has_mask"}  # noqa: RUF012 - the base class's form

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Check that supervision and boxes still belong together, then pack."""
        boxes, flags = len(results["gt_bboxes"]), len(results["gt_has_mask"])
        if boxes != flags:
            raise ValueError(
                f"the train pipeline left {boxes} boxes but {flags} entries of gt_has_mask; "
                "a transform that removes instances must remove their gt_has_mask too"
            )
        packed: dict[str, Any] = super().transform(results)
        return packed
