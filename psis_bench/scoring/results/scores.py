"""Scores as typed values. All are in [0, 1]; None where there is no ground truth to score against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from psis_bench.errors import UserError, did_you_mean
from psis_bench.scoring.results.details import Jittered, Limits, PartQuality
from psis_bench.scoring.results.mean_iou import Annotators, MeanIou
from psis_bench.scoring.results.probe_mark import PROBE, is_probe

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class AveragePrecision:
    """COCO's detection scores of a group of classes: means over the classes that have ground truth.

    Args:
        ap: Mean over IoU thresholds 0.50, 0.55, ..., 0.95.
        ap50: At IoU 0.50.
        ap75: At IoU 0.75.
        ap_small: Objects of at most 32² pixels.
        ap_medium: Objects of 32² to 96² pixels; both bounds are in two ranges.
        ap_large: Objects of 96² pixels or more.
        ar100: Recall with at most 100 detections per image and class, mean over IoU thresholds.
        ar1: The same with 1 detection.
        ar10: The same with 10 detections.
        ar_small: Recall of objects of at most 32² pixels, with 100 detections (300 of an image in LVIS).
        ar_medium: The same, 32² to 96².
        ar_large: The same, 96² or more.
        ar300: In LVIS alone: recall with 300 detections an image.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ar100: float | None
    ar1: float | None = None
    ar10: float | None = None
    ar_small: float | None = None
    ar_medium: float | None = None
    ar_large: float | None = None
    ar300: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Return the scores under their names in ``scores.json``; ``AR300`` is there only in LVIS."""
        values = {key: getattr(self, name) for name, key in _AP_KEYS.items()}
        return values if self.ar300 is None else {**values, "AR300": self.ar300}

    @classmethod
    def from_dict(cls, values: Mapping[str, float | None]) -> AveragePrecision:
        """Read what `to_dict` gave, in this version or an earlier one that had fewer scores."""
        later = {score.name for score in fields(cls) if score.default is None}
        keys = {**_AP_KEYS, "ar300": "AR300"}
        return cls(**{name: values.get(key) if name in later else values[key] for name, key in keys.items()})


_AP_KEYS = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_small": "APs",
    "ap_medium": "APm",
    "ap_large": "APl",
    "ar1": "AR1",
    "ar10": "AR10",
    "ar100": "AR100",
    "ar_small": "ARs",
    "ar_medium": "ARm",
    "ar_large": "ARl",
}


@dataclass(frozen=True, kw_only=True)
class AgnosticRecall:
    """Recall of a group of classes whatever its objects are called, the objects of other classes ignored.

    Args:
        ar10: With 10 detections an image, mean over the IoU thresholds 0.50, 0.55, ..., 0.95.
        ar100: The same with 100 detections.
        ar300: The same with 300 detections.
        ar1000: The same with 1,000 detections.
        ar_small: Of objects of at most 32² pixels, with 100 detections.
        ar_medium: The same, 32² to 96².
        ar_large: The same, 96² or more.
    """

    ar10: float | None
    ar100: float | None
    ar300: float | None
    ar1000: float | None
    ar_small: float | None
    ar_medium: float | None
    ar_large: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return the scores under their names in ``scores.json``."""
        return {key: getattr(self, name) for name, key in _AGNOSTIC_KEYS.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, float | None]) -> AgnosticRecall:
        """Read what `to_dict` gave."""
        return cls(**{name: values[key] for name, key in _AGNOSTIC_KEYS.items()})


_AGNOSTIC_KEYS = {
    "ar10": "AR10",
    "ar100": "AR100",
    "ar300": "AR300",
    "ar1000": "AR1000",
    "ar_small": "ARs",
    "ar_medium": "ARm",
    "ar_large": "ARl",
}


@dataclass(frozen=True, kw_only=True)
class GroupScores:
    """All scores of one group of classes; None for what the predictions do not have.

    Args:
        classes: Classes in the group, also those without ground truth.
        instances: Non-crowd instances with a mask.
        box: Detection scores by box IoU.
        mask: Detection scores by mask IoU.
        gt_box_miou: Predicted masks on ground-truth boxes.
        full_box: The trivial row that fills the ground-truth box.
        ellipse: The trivial row that fills the ellipse inscribed in it.
        boundary_miou: Boundary IoU of the predicted masks on ground-truth boxes, where it was asked for.
        boundary: Detection scores by the smaller of mask IoU and boundary IoU, where they were asked for.
        agnostic_box: Class-agnostic recall by box IoU, where it was asked for.
        agnostic_mask: Class-agnostic recall by mask IoU, where it was asked for.
        limits: Whether detection or masks limit mask AP, where that was asked for.
        jittered: Masks on boxes that are not tight, where they were predicted.
        annotators: How far another annotation of the same objects agrees, where one was given.
    """

    classes: int
    instances: int
    box: AveragePrecision | None
    mask: AveragePrecision | None
    gt_box_miou: MeanIou | None
    full_box: MeanIou
    ellipse: MeanIou
    boundary_miou: MeanIou | None = None
    boundary: AveragePrecision | None = None
    agnostic_box: AgnosticRecall | None = None
    agnostic_mask: AgnosticRecall | None = None
    limits: Limits | None = None
    jittered: Jittered | None = None
    annotators: Annotators | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as in ``scores.json``; what is only there when asked for is left out when it is not."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        values = {name: value for name, value in values.items() if value is not None or name not in _ON_REQUEST}
        return {name: value.to_dict() if hasattr(value, "to_dict") else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GroupScores:
        """Read what `to_dict` gave."""
        return cls(
            classes=values["classes"],
            instances=values["instances"],
            box=AveragePrecision.from_dict(values["box"]) if values["box"] else None,
            mask=AveragePrecision.from_dict(values["mask"]) if values["mask"] else None,
            gt_box_miou=MeanIou.from_dict(values["gt_box_miou"]) if values["gt_box_miou"] else None,
            full_box=MeanIou.from_dict(values["full_box"]),
            ellipse=MeanIou.from_dict(values["ellipse"]),
            **{name: kind.from_dict(values[name]) for name, kind in _ON_REQUEST.items() if values.get(name)},
        )


_ON_REQUEST: dict[str, Any] = {
    "boundary_miou": MeanIou,
    "boundary": AveragePrecision,
    "agnostic_box": AgnosticRecall,
    "agnostic_mask": AgnosticRecall,
    "limits": Limits,
    "jittered": Jittered,
    "annotators": Annotators,
}


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """The scores of one class.

    Args:
        category_id: Its id in the annotation file.
        name: Its name there.
        group: ``seen``, ``unseen``, or ``other`` (neither: it counts in ``all`` alone).
        scores: Its numbers, as those of a group of one class; without class-agnostic recall.
    """

    category_id: int
    name: str
    group: str
    scores: GroupScores


@dataclass(frozen=True, kw_only=True)
class SplitIdentity:
    """Which split was scored."""

    name: str
    version: int
    hash: str


@dataclass(frozen=True, kw_only=True)
class DatasetIdentity:
    """Which annotations were scored against.

    Args:
        annotations_sha256: Hash of the annotation file.
        images: Images in it.
        instances: Non-crowd instances with a mask in it.
    """

    annotations_sha256: str
    images: int
    instances: int


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The content of ``scores.json``.

    Args:
        split: Which split was scored.
        dataset: Which annotations were scored against.
        groups: Scores of ``all``, ``seen`` and ``unseen``; a split without unseen classes has no ``unseen``. On LVIS
            also ``frequent``, ``common``, ``rare``, ``coco`` and ``not_coco``.
        notes: What a reader has to know, one sentence each.
        mask_quality: GT-box mIoU by size, aspect and supercategory, where it was asked for.
        per_class: Every class of the annotation file, ascending ids. ``per_class.csv`` has them, ``scores.json`` has
            not, so that there are none in what `from_dict` reads.
    """

    split: SplitIdentity
    dataset: DatasetIdentity
    groups: dict[str, GroupScores]
    notes: tuple[str, ...]
    mask_quality: tuple[PartQuality, ...] = ()
    per_class: tuple[ClassScores, ...] = field(default=(), compare=False, repr=False)

    def of_class(self, name: str) -> GroupScores:
        """Return the scores of one class by its name in the annotation file.

        Raises:
            UserError: There is no such class; names the nearest.
        """
        names = {item.name: item.scores for item in self.per_class}
        if not names:
            raise UserError("scores that are read back hold groups of classes alone", cure="read per_class.csv")
        if name not in names:
            raise UserError(f"there is no class {name!r}", cure=did_you_mean(name, names))
        return names[name]

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as in ``scores.json``.

        ``mask_quality`` is there only when it was asked for, ``protocol`` only where it is another than the full one.
        """
        quality = {"mask_quality": [part.to_dict() for part in self.mask_quality]} if self.mask_quality else {}
        return {
            "schema": SCHEMA,
            **({"protocol": PROBE} if is_probe(self.notes) else {}),
            "split": vars(self.split),
            "dataset": vars(self.dataset),
            "groups": {name: group.to_dict() for name, group in self.groups.items()},
            "notes": list(self.notes),
            **quality,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Scores:
        """Read what `to_dict` gave.

        Raises:
            ValueError: The values are of another schema.
        """
        if values.get("schema") != SCHEMA:
            raise ValueError(f"scores of schema {values.get('schema')!r}; this version reads {SCHEMA}")
        return cls(
            split=SplitIdentity(**values["split"]),
            dataset=DatasetIdentity(**values["dataset"]),
            groups={name: GroupScores.from_dict(group) for name, group in values["groups"].items()},
            notes=tuple(values["notes"]),
            mask_quality=tuple(PartQuality.from_dict(part) for part in values.get("mask_quality", ())),
        )
