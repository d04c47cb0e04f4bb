"""A row of the leaderboard: one model under one split on one data set, whether from a paper or submitted.

Numbers are in [0, 1] under keys ``<metric>.<group>`` such as ``mask_AP.unseen``; what a source does not give is absent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

GROUPS: Final = ("all", "seen", "unseen")
AP_METRICS: Final = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")
METRICS: Final = (
    *(f"mask_{name}" for name in AP_METRICS),
    *(f"box_{name}" for name in AP_METRICS),
    "gt_box_miou",
    "boundary_miou",
    "full_box",
    "ellipse",
)
"""Metrics in the order of pages; the last two are the trivial rows, which depend on the data alone."""

TIERS: Final = {
    "reported": "numbers of a paper, or numbers that nobody has checked",
    "recomputed": "the numbers follow from the submitted predictions",
    "re-predicted": "the predictions were made again from the weights",
    "retrained": "somebody trained the model again and found the same",
}
"""How far a row has been checked, least first."""


class Estimate(NamedTuple):
    """A number with the ends of its 95% interval over seeds; the ends are None for a single value."""

    mean: float
    low: float | None = None
    high: float | None = None


class SplitKey(NamedTuple):
    """A split as a page names it."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def slug(self) -> str:
        """Name of its folder and page: a slash becomes ``~``, as under ``model_zoo/submissions``."""
        return f"{self.name.replace('/', '~')}@{self.version}"


class Link(NamedTuple):
    """An address that is shown as a link; only http and https addresses ever are."""

    label: str
    url: str

    @property
    def is_safe(self) -> bool:
        """Whether following it can run nothing: ``javascript:`` and its like are shown as text."""
        return self.url.lower().startswith(("https://", "http://"))


class Doubt(NamedTuple):
    """Why a number, or what it is said to be of, may be wrong; ``number`` is a key of `Row.numbers` or a field."""

    number: str
    why: str


class ClassScore(NamedTuple):
    """The scores of one class, means over seeds; None for what there is not."""

    name: str
    group: str
    instances: int
    mask_ap: float | None
    gt_box_miou: float | None
    ellipse_miou: float | None


class SeedScores(NamedTuple):
    """One training: its seed, how far it has been checked, and its numbers."""

    seed: int
    tier: str
    numbers: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table, and what its own page tells.

    Attributes:
        name: Unique within its split; a part of the address of its page.
        title: The model, for readers.
        tier: A key of `TIERS`; of several seeds the least checked one's.
        split: The split.
        data: Name of the data set that was scored; rows of different data are never in one table.
        numbers: Scores by key, in [0, 1].
        annotations: SHA-256 of the annotation file that was scored, or None for published rows.
        backbone: Or None when the source does not say.
        mask_head: Or None.
        parameters: Weights that are learnt, or None.
        ms_per_image: Time of one image in milliseconds, or None.
        seeds: The seeds behind the numbers, ascending; empty when the source does not say.
        source: Where the numbers come from, in a few words, e.g. ``"ICCV 2021, Table 8"``.
        facts: What else is known, as pairs of a name and a text.
        links: Paper, code, weights.
        doubts: What may be wrong.
        notes: Sentences for the page.
        commands: What repeats it: pairs of a label and a command.
        how: How to get what the command needs, in sentences.
        classes: Scores of every class; empty when the source gives none.
        per_seed: Each training; empty for published rows.
        model: The name of the model by which rows of other splits are found, or None.
        folder: The submission of the first seed, or None.
    """

    name: str
    title: str
    tier: str
    split: SplitKey
    data: str
    numbers: Mapping[str, Estimate]
    annotations: str | None = None
    backbone: str | None = None
    mask_head: str | None = None
    parameters: int | None = None
    ms_per_image: float | None = None
    seeds: tuple[int, ...] = ()
    source: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    how: tuple[str, ...] = ()
    classes: tuple[ClassScore, ...] = ()
    per_seed: tuple[SeedScores, ...] = field(default=(), repr=False)
    model: str | None = None
    folder: Path | None = None

    @property
    def page(self) -> str:
        """Address of its page below the root of the site."""
        return f"rows/{self.split.slug}/{self.name}.html"

    @property
    def pictures(self) -> str:
        """Folder of its pictures below the root of the site."""
        return self.page.removesuffix(".html")

    def number(self, key: str) -> float | None:
        """Return the mean under a key, or None."""
        found = self.numbers.get(key)
        return None if found is None else found.mean

    def doubts_about(self, key: str) -> tuple[Doubt, ...]:
        """Return the doubts about one number."""
        return tuple(doubt for doubt in self.doubts if doubt.number == key)


def merit(row: Row) -> tuple[float, ...]:
    """Return what rows are ordered by, best first when descending: mask AP of unseen classes, then GT-box mIoU."""
    keys = ("mask_AP.unseen", "gt_box_miou.unseen", "mask_AP.all", "gt_box_miou.all", "mask_AP.seen")
    values = (row.number(key) for key in keys)
    return tuple(-math.inf if value is None else value for value in values)
