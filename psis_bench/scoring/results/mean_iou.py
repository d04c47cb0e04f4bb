"""Mean IoU of masks, of a model and of annotators, as typed values; None where there is no object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class MeanIou:
    """Mean IoU of masks on ground-truth boxes.

    Args:
        class_mean: Mean over instances of a class, then over classes (the paper's).
        instance_mean: Mean over instances.
    """

    class_mean: float | None
    instance_mean: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return the scores under their names in ``scores.json``."""
        return {"class_mean": self.class_mean, "instance_mean": self.instance_mean}

    @classmethod
    def from_dict(cls, values: Mapping[str, float | None]) -> MeanIou:
        """Read what `to_dict` gave."""
        return cls(class_mean=values["class_mean"], instance_mean=values["instance_mean"])


@dataclass(frozen=True, kw_only=True)
class Annotators:
    """How far two annotations of the same objects agree (`psis_bench.scoring.masks.annotators`).

    Args:
        objects: Objects that the other annotation has too: all numbers here are of these alone.
        classes: Classes that have any.
        agreement: Mean IoU of the two masks.
        gt_box_miou: That of the predicted masks on ground-truth boxes; None without such masks.
    """

    objects: int
    classes: int
    agreement: MeanIou
    gt_box_miou: MeanIou | None

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as in ``scores.json``."""
        own = None if self.gt_box_miou is None else self.gt_box_miou.to_dict()
        return {
            "objects": self.objects,
            "classes": self.classes,
            "agreement": self.agreement.to_dict(),
            "gt_box_miou": own,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Annotators:
        """Read what `to_dict` gave."""
        own = values["gt_box_miou"]
        return cls(
            objects=values["objects"],
            classes=values["classes"],
            agreement=MeanIou.from_dict(values["agreement"]),
            gt_box_miou=None if own is None else MeanIou.from_dict(own),
        )
