"""What a split is: which classes have masks in training, which are scored as unseen.

A split is declared by class *name*; ids are looked up in the annotation file it is used with, and a
name the file does not have is an error. (Declaring ids or positions lets one misspelt or moved class
shift every other silently.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psis_bench.errors import UserError, did_you_mean
from psis_bench.files import sha256_of_json
from psis_bench.splits.synsets import categories_of


@dataclass(frozen=True, kw_only=True)
class SplitProtocol:
    """A split by class names, valid for any annotation file that has them.

    Attributes:
        name: How it is called on the command line, in results and on the leaderboard.
        version: A change of anything that changes numbers is a new version.
        seen: Names of the classes with masks in training.
        unseen: Names of the classes scored as unseen.
        description: One sentence for people.
        max_detections: Detections per image that are scored, over all classes together.
        unseen_is_rest: Every class of the annotation file that is not seen is unseen; ``unseen`` is empty.
        by_synset: The seen classes are COCO's, and an annotation file with synsets (LVIS) has them under other names:
            there they are looked up by synset, and one that is not there is told of rather than an error. The split is
            then for training on COCO and scoring on LVIS, where only masks on ground-truth boxes are predicted.

    Raises:
        UserError: A class is named twice, or is both seen and unseen, or there is none.
    """

    name: str
    version: int
    seen: tuple[str, ...]
    unseen: tuple[str, ...]
    description: str
    max_detections: int = 100
    unseen_is_rest: bool = False
    by_synset: bool = False

    def __post_init__(self) -> None:
        both = sorted(set(self.seen) & set(self.unseen))
        if both:
            raise UserError(
                f"class {both[0]!r} is both seen and unseen", where=self._where(), cure="leave it in one of the two"
            )
        for group, names in (("seen", self.seen), ("unseen", self.unseen)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise UserError(
                    f"class {twice[0]!r} is listed twice in {group}", where=self._where(), cure="once will do"
                )
        if not self.seen:
            raise UserError("no class is seen", where=self._where(), cure="list at least one class under seen")

    def hash(self) -> str:
        """Return the SHA-256 (64 hexadecimal digits) of everything that changes numbers.

        The order of the classes and the wording of the description do not.
        """
        content = {
            "name": self.name,
            "version": self.version,
            "seen": sorted(self.seen),
            "unseen": "rest" if self.unseen_is_rest else sorted(self.unseen),
            "max_detections": self.max_detections,
        }
        # Not named where it is not used, so that the hashes of other splits stay.
        return sha256_of_json({**content, "by_synset": True} if self.by_synset else content)

    def resolve(self, categories: Sequence[Mapping[str, Any]], *, where: str | None = None) -> ResolvedSplit:
        """Look the classes up in the categories of an annotation file.

        Args:
            categories: The file's ``categories``: mappings with ``id`` and ``name``, both unique.
            where: The file, for the error message.

        Raises:
            UserError: The file does not have a class of this split; names the nearest ones it has.
        """
        names = {int(category["id"]): str(category["name"]) for category in categories}
        if self.by_synset and any("synset" in category for category in categories):
            return self._resolve_by_synset(categories, dict(sorted(names.items())))
        ids = {name: identity for identity, name in names.items()}
        missing = [name for name in (*self.seen, *self.unseen) if name not in ids]
        if missing:
            lvis = any("synset" in category for category in categories)
            further = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise UserError(
                f"has no class {missing[0]!r}{further}, which {self._where()} needs",
                where=where or "annotation file",
                cure=did_you_mean(missing[0], ids)
                + (" (COCO's classes on LVIS: split=coco2lvis; " if lvis else " (")
                + "a split for other classes is a small YAML: docs/add_a_split.md)",
            )
        seen = frozenset(ids[name] for name in self.seen)
        unseen = frozenset(names) - seen if self.unseen_is_rest else frozenset(ids[name] for name in self.unseen)
        return ResolvedSplit(protocol=self, seen_ids=seen, unseen_ids=unseen, names=dict(sorted(names.items())))

    def check_scored(self, categories: Sequence[Mapping[str, Any]], *, where: str | None = None) -> None:
        """Refuse an annotation file that this split cannot be scored on: one by synset needs an LVIS file.

        Args:
            categories: The ``categories`` of the file that is scored; one that is trained on may have none.
            where: The file, for the error message.

        Raises:
            UserError: The categories have no synset.
        """
        if self.by_synset and not any("synset" in category for category in categories):
            raise UserError(
                f"the categories have no synset, by which {self._where()} knows COCO's classes on an LVIS file",
                where=where or "annotation file",
                cure="give LVIS's own annotations; on a file of COCO, all 80 classes are split=fully_supervised",
            )

    def _resolve_by_synset(self, categories: Sequence[Mapping[str, Any]], names: dict[int, str]) -> ResolvedSplit:
        synsets = {int(entry["id"]): str(entry["synset"]) for entry in categories if "synset" in entry}
        seen, absent = categories_of(self.seen, synsets)
        return ResolvedSplit(
            protocol=self, seen_ids=seen, unseen_ids=frozenset(names) - seen, names=names, absent=absent
        )

    def _where(self) -> str:
        return f"split {self.name!r}"


@dataclass(frozen=True, kw_only=True)
class ResolvedSplit:
    """A split with the category ids of one annotation file.

    Attributes:
        protocol: The split it comes from.
        seen_ids: Category ids with masks in training.
        unseen_ids: Category ids scored as unseen.
        names: Category id to class name, for every category of the file, ascending ids.
        absent: Seen classes of a split by synset that the file does not have.
    """

    protocol: SplitProtocol
    seen_ids: frozenset[int]
    unseen_ids: frozenset[int]
    names: dict[int, str]
    absent: tuple[str, ...] = ()

    def groups(self) -> dict[str, list[int]]:
        """Return the category ids of ``all``, ``seen`` and ``unseen``, sorted; an empty group is left out."""
        groups = {"all": sorted(self.names), "seen": sorted(self.seen_ids), "unseen": sorted(self.unseen_ids)}
        return {group: ids for group, ids in groups.items() if ids}

    def group_of(self, category_id: int) -> str:
        """Return ``seen``, ``unseen`` or ``other`` (neither: counts in "all" only)."""
        if category_id in self.seen_ids:
            return "seen"
        return "unseen" if category_id in self.unseen_ids else "other"
