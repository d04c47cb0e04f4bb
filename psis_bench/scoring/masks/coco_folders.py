"""Images of LVIS that a model has been trained on: LVIS's val part is drawn from COCO's ``train2017`` and ``val2017``.

Of the 19,809 images of LVIS v1 val at most 5,000 are in ``val2017``. A model trained on COCO (split ``coco2lvis``) has
seen the masks of COCO's classes in all the others. The Deep-MAC paper scores all of LVIS v1 val (appendix B), and so
does the main number here; what it is without those images stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from psis_bench.data.lvis_images import TRAIN_FOLDER
from psis_bench.scoring.inputs.ground_truth import Floats, GroundTruth
from psis_bench.scoring.masks.gt_box_iou import mean_iou


def folders_of(truth: GroundTruth, folders: Mapping[int, str]) -> npt.NDArray[np.str_]:
    """Return COCO's folder of each scored instance's image, (n,); empty where it is not known."""
    return np.array([folders.get(image, "") for image in truth.images[truth.instances].tolist()], np.str_)


def trained_images(
    truth: GroundTruth, ious: Floats | None, groups: Mapping[str, Sequence[int]], folders: Mapping[int, str]
) -> list[str]:
    """Return a sentence on the images that are in ``train2017``, with GT-box mIoU of the others; none without any.

    Args:
        truth: The annotations.
        ious: float64 (n,): IoU of the masks on boxes, in the order of ``truth.instances``, if there are any.
        groups: Group -> its category ids.
        folders: Image id -> COCO's folder of the image.
    """
    images, trained = len(truth.image_ids), sum(folder == TRAIN_FOLDER for folder in folders.values())
    if not trained:
        return []
    note = (
        f"{trained} of {images} images are of COCO's {TRAIN_FOLDER}: "
        "objects of seen classes there had masks in training"
    )
    others = folders_of(truth, folders) != TRAIN_FOLDER
    if ious is None or not others.any():
        return [note]
    categories = truth.categories[truth.instances][others]
    means = {
        name: mean_iou(ious[others], categories, groups[name]).class_mean
        for name in ("seen", "unseen")
        if name in groups
    }
    told = ", ".join(f"{100 * mean:.1f} on {name} classes" for name, mean in means.items() if mean is not None)
    return [f"{note}; GT-box mIoU of the {images - trained} others: {told}"]
