"""Scores that tell why: what limits mask AP, and masks on boxes that are not tight. Typed values, as in `results`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SHOWN = 0.0005
"""Half of the last digit that tables show."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What limits mask AP of a group of classes (`psis_bench.scoring.detection.limits`); None where it is not known.

    Args:
        best_masks: Mask AP of the predicted boxes with the best masks for them.
        gt_boxes: Mask AP of the masks predicted on ground-truth boxes; None where there are none.
        mask_error: What better masks would gain, of ``1 - AP``.
        detection_error: What better detection would gain; the two add up.
    """

    best_masks: float | None
    gt_boxes: float | None
    mask_error: float | None
    detection_error: float | None

    @classmethod
    def of(cls, ap: float | None, *, best_masks: float | None, gt_boxes: float | None) -> Limits:
        """Tell the two errors apart.

        Example:
            Perfect masks, half of the objects found:

            >>> Limits.of(0.5, best_masks=0.5, gt_boxes=1.0)
            Limits(best_masks=0.5, gt_boxes=1.0, mask_error=0.0, detection_error=0.5)
        """
        if ap is None or best_masks is None or gt_boxes is None:
            return cls(best_masks=best_masks, gt_boxes=gt_boxes, mask_error=None, detection_error=None)
        return cls(
            best_masks=best_masks,
            gt_boxes=gt_boxes,
            mask_error=((best_masks - ap) + (1 - gt_boxes)) / 2,
            detection_error=((gt_boxes - ap) + (1 - best_masks)) / 2,
        )

    @property
    def larger(self) -> str | None:
        """Which of the two costs more: ``detection`` or ``masks``.

        None where that is not known, where nothing is lacking, and where both cost the same, as far as a number with
        one decimal shows it.

        Example:
            >>> Limits.of(1.0, best_masks=1.0, gt_boxes=1.0).larger, Limits.of(0.5, best_masks=0.5, gt_boxes=1.0).larger
            (None, 'detection')
        """
        if self.mask_error is None or self.detection_error is None:
            return None
        lacking, difference = self.mask_error + self.detection_error, self.detection_error - self.mask_error
        if lacking < _SHOWN or abs(difference) < _SHOWN:
            return None
        return "detection" if difference > 0 else "masks"

    def to_dict(self) -> dict[str, float | None]:
        """Return the numbers under their names in ``scores.json``."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Limits:
        """Read what `to_dict` gave."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class JitteredMean:
    """Masks predicted on boxes that were moved and scaled (`psis_bench.scoring.masks.box_jitter`).

    Args:
        box_iou: Mean IoU of the moved boxes with the tight ones, over instances.
        class_mean: GT-box mIoU on the moved boxes, mean over instances of a class, then over classes.
        instance_mean: The same, mean over instances.
        full_box: Class mean of the trivial row that fills the moved box.
    """

    box_iou: float | None
    class_mean: float | None
    instance_mean: float | None
    full_box: float | None


@dataclass(frozen=True, kw_only=True)
class Jittered:
    """Masks on moved boxes.

    Args:
        strengths: Strength as text (``0.1``) -> scores, ascending.
    """

    strengths: dict[str, JitteredMean]

    def to_dict(self) -> dict[str, dict[str, float | None]]:
        """Return the scores as in ``scores.json``."""
        return {strength: dict(vars(mean)) for strength, mean in self.strengths.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Mapping[str, float | None]]) -> Jittered:
        """Read what `to_dict` gave."""
        return cls(strengths={strength: JitteredMean(**mean) for strength, mean in values.items()})


@dataclass(frozen=True, kw_only=True)
class PartQuality:
    """The masks of one part of the objects.

    Args:
        axis: ``size``, ``aspect`` or ``supercategory``.
        part: ``small``, ``wide``, ``animal``, ...
        group: ``seen``, ``unseen`` or ``all``.
        classes: Classes of the group that have such objects.
        instances: How many there are.
        means: What is averaged -> (class mean, instance mean), in [0, 1].
    """

    axis: str
    part: str
    group: str
    classes: int
    instances: int
    means: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Return the part as in ``scores.json``."""
        whole = {name: getattr(self, name) for name in ("axis", "part", "group", "classes", "instances")}
        return whole | {name: {"class_mean": means[0], "instance_mean": means[1]} for name, means in self.means.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PartQuality:
        """Read what `to_dict` gave."""
        names = ("axis", "part", "group", "classes", "instances")
        means = {
            name: (mean["class_mean"], mean["instance_mean"]) for name, mean in values.items() if name not in names
        }
        return cls(**{name: values[name] for name in names}, means=means)
