"""An annotation file, checked and as arrays: all that a score needs of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.data.coco_format import check_coco, read_coco
from psis_bench.data.lvis import Federation, read_federation
from psis_bench.scoring.inputs.ground_truth import GroundTruth, Masks, read_boxes, read_masks

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """What a score needs of an annotation file.

    Args:
        truth: Images, classes and objects.
        federation: What an LVIS file says beyond COCO format; None of any other.
        categories: The file's ``categories``.
        dropped: Annotations that were left out for a box of no area or outside its image.
    """

    truth: GroundTruth
    federation: Federation | None
    categories: list[dict[str, Any]]
    dropped: int = 0

    def with_masks(self, masks: Masks) -> Annotations:
        """Return the same with the masks of the objects."""
        return replace(self, truth=self.truth.with_masks(masks))


def read_annotations(annotations: Path | Mapping[str, Any], *, on_bad_boxes: OnBadBoxes = "error") -> Annotations:
    """Read and check annotations.

    Args:
        annotations: A COCO-format file, or its content.
        on_bad_boxes: ``drop`` leaves annotations out whose box has no area; ``error`` refuses them.

    Raises:
        UserError: The first fault, with file, place and cure.
    """
    boxes, masks = read_in_parts(annotations, on_bad_boxes=on_bad_boxes)
    return boxes.with_masks(masks())


def read_in_parts(
    annotations: Path | Mapping[str, Any], *, on_bad_boxes: OnBadBoxes = "error"
) -> tuple[Annotations, Callable[[], Masks]]:
    """Read and check annotations as `read_annotations` does, their masks later.

    Returns:
        All but the masks (`read_boxes`), and what turns these into run lengths.
    """
    if isinstance(annotations, Path):
        coco = read_coco(annotations, on_bad_boxes=on_bad_boxes)
    else:
        coco = check_coco(annotations, on_bad_boxes=on_bad_boxes)
    truth, federation = read_boxes(coco), read_federation(coco)
    found = Annotations(truth=truth, federation=federation, categories=coco.categories, dropped=coco.dropped)
    return found, lambda: read_masks(coco, truth)
