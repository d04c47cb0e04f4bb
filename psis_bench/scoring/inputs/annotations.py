"""An annotation file, checked and as arrays: all that a score needs of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.data.lvis import Federation, read_federation
from psis_bench.scoring.inputs.ground_truth import GroundTruth, read_ground_truth

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """What a score needs of an annotation file.

    Args:
        truth: Images, classes and objects.
        federation: What an LVIS file says beyond COCO format; None of any other.
        categories: The file's ``categories``.
    """

    truth: GroundTruth
    federation: Federation | None
    categories: list[dict[str, Any]]


def read_annotations(annotations: Path | Mapping[str, Any], *, on_bad_boxes: OnBadBoxes = "error") -> Annotations:
    """Read and check annotations.

    Args:
        annotations: A COCO-format file, or its content.
        on_bad_boxes: ``drop`` leaves annotations out whose box has no area; ``error`` refuses them.

    Raises:
        UserError: The first fault, with file, place and cure.
    """
    from psis_bench.data.coco_format import check_coco, read_coco

    if isinstance(annotations, Path):
        coco = read_coco(annotations, on_bad_boxes=on_bad_boxes)
    else:
        coco = check_coco(annotations, on_bad_boxes=on_bad_boxes)
    truth = read_ground_truth(coco)
    return Annotations(truth=truth, federation=read_federation(coco), categories=coco.categories)
