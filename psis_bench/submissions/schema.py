"""What a submission is: the models behind ``submission.json``, ``metrics.json`` and ``verification.json``.

A submission is one folder, the result of one model trained with one seed under one split::

    submission.json              what was trained and on what, and hashes of the predictions: `Submission`
    metrics.json                 the scores of every group of classes: `Metrics`
    per_class.csv                the scores of every class
    predictions/                 detections/ and/or gt_box_masks/: Parquet parts
    config.json                  the settings of a run of this package and of MMEngine, as data
    environment.json             versions of the packages
    weights/*.safetensors        perhaps
    verification.json            what a check found, written by ``psis-bench add``: `Verification`

In ``model_zoo/`` it lies in ``submissions/<split>@<version>/<model>/<seed>/``, see `place_of`. `load_submission` reads
such a folder. The models are exported as JSON Schema to ``model_zoo/submission.schema.json``.
"""

from __future__ import annotations

import datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from psis_bench.submissions.field_types import (
    Count,
    Fraction,
    GroupName,
    LongText,
    Positive,
    Scores,
    Sha256,
    Slug,
    SplitName,
    Strict,
    Text,
    Url,
    check_score_names,
)

SCHEMA_VERSION = 1
"""Of ``submission.json``. Older versions stay readable: docs/submit.md."""


class Tier(StrEnum):
    """How far a row has been checked, from the least to the most."""

    REPORTED = "reported"
    """Numbers of a paper, or numbers that nobody has checked."""
    RECOMPUTED = "recomputed"
    """The numbers follow from the predictions."""
    REPREDICTED = "re-predicted"
    """The predictions were made again from the weights."""
    RETRAINED = "retrained"
    """Somebody trained the model again and found the same."""

    @property
    def rank(self) -> int:
        """Place in the order, from 0."""
        return list(Tier).index(self)


class SplitDefinition(Strict):
    """The classes of a split that does not come with the package."""

    seen: Annotated[tuple[Text, ...], Field(min_length=1, max_length=5000)]
    unseen: Annotated[tuple[Text, ...], Field(max_length=5000)]
    unseen_is_rest: bool = False
    max_detections: Annotated[int, Field(ge=1, le=10_000)] = 100


class SplitReference(Strict):
    """Which split was trained and scored; ``definition`` only for one that does not come with the package."""

    name: SplitName
    version: Annotated[int, Field(ge=1, le=10_000)]
    hash: Sha256
    definition: SplitDefinition | None = None


class Dataset(Strict):
    """Which annotations were scored against; ``name`` as in ``psis-bench ls data``."""

    name: Slug
    annotations_sha256: Sha256
    on_bad_boxes: Literal["error", "drop"] = "error"


class Model(Strict):
    """The model. ``name`` is the name of its folder and row; ``parameters`` counts weights that are learnt."""

    name: Slug
    title: Text
    backbone: Text
    mask_head: Text | None = None
    parameters: Count | None = None
    pretraining: Text


class Supervision(Strict):
    """Everything masks were learnt from, and every image source beyond the training part (protocol 2.3)."""

    mask_sources: Annotated[tuple[Text, ...], Field(min_length=1, max_length=20)]
    extra_data: Annotated[tuple[Text, ...], Field(max_length=20)] = ()


class Training(Strict):
    """One training. ``seeds`` are all seeds that were trained with these settings, ``seed`` is this one."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1, max_length=100)]
    hardware: Text
    hours: Positive | None = None
    ms_per_image: Positive | None = None


class Code(Strict):
    """What it was trained with. ``dirty``: the checkout had changes that are in no commit."""

    software: Text
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")] | None = None
    dirty: bool | None = None
    url: Url | None = None


class PredictionFile(Strict):
    """One file under ``predictions/``; ``path`` starts with ``detections/`` or ``gt_box_masks/``."""

    path: Annotated[str, StringConstraints(pattern=r"^(detections|gt_box_masks)/part-[0-9]{5}\.parquet$")]
    bytes: Count
    sha256: Sha256


class Predictions(Strict):
    """The predictions. ``url``: where they are when the folder does not hold them."""

    files: Annotated[tuple[PredictionFile, ...], Field(min_length=1, max_length=2000)]
    url: Url | None = None


class WeightsFile(Strict):
    """Weights in safetensors format: a file under ``weights/``, or at ``url``, or neither."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}\.safetensors$")]
    bytes: Count
    sha256: Sha256
    url: Url | None = None


class Paper(Strict):
    """Where the method is described."""

    title: Text
    url: Url | None = None
    year: Annotated[int, Field(ge=1990, le=2100)] | None = None


class Submission(Strict):
    """The content of ``submission.json``."""

    schema_version: Literal[1]
    created: datetime.date
    split: SplitReference
    dataset: Dataset
    model: Model
    supervision: Supervision
    training: Training
    code: Code
    predictions: Predictions
    weights: Annotated[tuple[WeightsFile, ...], Field(max_length=10)] = ()
    authors: Annotated[tuple[Text, ...], Field(min_length=1, max_length=100)]
    paper: Paper | None = None
    licence: Text
    notes: LongText = ""


class ApMetrics(Scores):
    """COCO's detection scores of a group: `psis_bench.scoring.results.scores.AveragePrecision`. Perhaps more."""

    AP: Fraction | None
    AP50: Fraction | None
    AP75: Fraction | None
    APs: Fraction | None
    APm: Fraction | None
    APl: Fraction | None
    AR100: Fraction | None
    AR1: Fraction | None = None
    AR10: Fraction | None = None
    ARs: Fraction | None = None
    ARm: Fraction | None = None
    ARl: Fraction | None = None
    AR300: Fraction | None = None


class AgnosticMetrics(Strict):
    """Class-agnostic recall of a group: `psis_bench.scoring.results.scores.AgnosticRecall`."""

    AR10: Fraction | None
    AR100: Fraction | None
    AR300: Fraction | None
    AR1000: Fraction | None
    ARs: Fraction | None
    ARm: Fraction | None
    ARl: Fraction | None


class MeanIouMetrics(Scores):
    """Mean IoU over a group: `psis_bench.scoring.results.scores.MeanIou`."""

    class_mean: Fraction | None
    instance_mean: Fraction | None


class GroupMetrics(Strict):
    """All scores of one group, as in `psis_bench.scoring.results.scores.GroupScores`; None for what there is not.

    What scoring gives only when asked is there when it was (``boundary_miou``, ``agnostic_box``).
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Scores | None]

    classes: Count
    instances: Count
    box: ApMetrics | None
    mask: ApMetrics | None
    gt_box_miou: MeanIouMetrics | None
    full_box: MeanIouMetrics
    ellipse: MeanIouMetrics
    boundary_miou: MeanIouMetrics | None = None

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        check_score_names(self.__pydantic_extra__)
        return self


class ScoredSplit(Strict):
    """Which split was scored."""

    name: SplitName
    version: Annotated[int, Field(ge=1, le=10_000)]
    hash: Sha256


class ScoredDataset(Strict):
    """Which annotations were scored against."""

    annotations_sha256: Sha256
    images: Count
    instances: Count


class Metrics(Strict):
    """The content of ``metrics.json``, in the form of ``scores.json``."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    split: ScoredSplit
    dataset: ScoredDataset
    groups: Annotated[dict[GroupName, GroupMetrics], Field(max_length=40)]
    notes: Annotated[tuple[LongText, ...], Field(max_length=20)] = ()


class Verification(Strict):
    """The content of ``verification.json``: what a check of the files with these hashes found.

    ``largest_difference`` is that of any score to what the highest tier's own computation gave.
    """

    schema_version: Literal[1]
    tier: Tier
    checked: datetime.date
    checked_with: Text
    largest_difference: Annotated[float, Field(ge=0)] | None = None
    submission_sha256: Sha256
    metrics_sha256: Sha256
    per_class_sha256: Sha256


class ClassMetrics(Scores):
    """One line of ``per_class.csv``; None for what the predictions or the annotations do not have.

    More columns may be there (``mask_AP50``); they are fields by their names.
    """

    category_id: Annotated[int, Field(ge=-(2**53), lt=2**53)]
    name: Text
    group: Literal["seen", "unseen", "other"]
    instances: Count
    box_ap: Annotated[Fraction | None, Field(alias="box_AP")]
    mask_ap: Annotated[Fraction | None, Field(alias="mask_AP")]
    gt_box_miou: Fraction | None
    full_box_miou: Fraction | None
    ellipse_miou: Fraction | None
    box_ap50: Annotated[Fraction | None, Field(alias="box_AP50")] = None
    box_ap75: Annotated[Fraction | None, Field(alias="box_AP75")] = None
    box_aps: Annotated[Fraction | None, Field(alias="box_APs")] = None
    box_apm: Annotated[Fraction | None, Field(alias="box_APm")] = None
    box_apl: Annotated[Fraction | None, Field(alias="box_APl")] = None
    box_ar100: Annotated[Fraction | None, Field(alias="box_AR100")] = None
    mask_ap50: Annotated[Fraction | None, Field(alias="mask_AP50")] = None
    mask_ap75: Annotated[Fraction | None, Field(alias="mask_AP75")] = None
    mask_aps: Annotated[Fraction | None, Field(alias="mask_APs")] = None
    mask_apm: Annotated[Fraction | None, Field(alias="mask_APm")] = None
    mask_apl: Annotated[Fraction | None, Field(alias="mask_APl")] = None
    mask_ar100: Annotated[Fraction | None, Field(alias="mask_AR100")] = None
    boundary_ap: Annotated[Fraction | None, Field(alias="boundary_AP")] = None


class LoadedSubmission(Strict):
    """What `load_submission` reads from a folder.

    ``tier`` is that of ``verification.json`` where that is of these very files, and *reported* otherwise.
    """

    folder: Path
    submission: Submission
    metrics: Metrics
    per_class: tuple[ClassMetrics, ...]
    verification: Verification | None
    tier: Tier


def place_of(submission: Submission) -> PurePosixPath:
    """Return where a submission lies under ``model_zoo/submissions``: ``<split>@<version>/<model>/<seed>``.

    A slash in the name of a split becomes ``~``, which no name of a split has: ``random~20~0@1``.
    """
    split = submission.split.name.replace("/", "~")
    return PurePosixPath(f"{split}@{submission.split.version}", submission.model.name, str(submission.training.seed))


def load_submission(folder: Path) -> LoadedSubmission:
    """Read the description and the numbers of a submission; its predictions are not opened.

    Raises:
        UserError: A file is missing or is not of the schema; names file and field. ``psis-bench validate`` tells all.
    """
    from psis_bench.submissions.reading import read_loaded

    return read_loaded(folder)
