"""Detections of a whole data set, checked against its annotations, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from psis_bench.errors import UserError
from psis_bench.run_length_strings import Measured
from psis_bench.run_lengths import Ints
from psis_bench.scoring.inputs.ground_truth import Flags, Floats, GroundTruth, places_in
from psis_bench.scoring.inputs.mask_texts import Chunk, MaskTexts, chosen_texts
from psis_bench.scoring.inputs.records import Records
from psis_bench.scoring.inputs.result_rows import OTHER_ANNOTATIONS

_OF_THE_FILE = "categories are given by their ids in the annotation file, not by their place in a list of classes"


class Batch(NamedTuple):
    """Where some consecutive detections come from: a file, the row of the first of them, and how many they are."""

    path: Path
    first_row: int
    rows: int


class MaskMeasures(NamedTuple):
    """What is known of ``m`` masks without decoding them.

    Args:
        areas: int64 (m,): pixels.
        starts: uint32 (m,): no pixel lies before this one, counted down the columns of the image.
        stops: uint32 (m,): none lies at or after this one.
    """

    areas: Ints
    starts: npt.NDArray[np.uint32]
    stops: npt.NDArray[np.uint32]

    @classmethod
    def anywhere(cls, areas: Ints, sizes: Ints) -> MaskMeasures:
        """Return the measures of masks that may be anywhere in their images, of these sizes, int64 (m, 2)."""
        return cls(areas, np.zeros(len(areas), np.uint32), sizes.prod(axis=1).astype(np.uint32))

    def at(self, chosen: Flags | Ints) -> MaskMeasures:
        """Return those where bool (m,) is True, or those at places, int64 (c,)."""
        return MaskMeasures(self.areas[chosen], self.starts[chosen], self.stops[chosen])


NO_MEASURES = MaskMeasures(np.zeros(0, np.int64), np.zeros(0, np.uint32), np.zeros(0, np.uint32))


@dataclass(frozen=True, kw_only=True)
class Detections:
    """Detections in the order of their files; ``N`` in all, ``m`` of them with a mask.

    Args:
        images: int64 (N,): image ids.
        categories: int64 (N,): category ids.
        scores: float64 (N,), finite.
        boxes: float64 (N, 4): xywh, absolute pixels.
        sizes: int64 (N, 2): height and width of each one's image.
        has_mask: bool (N,).
        strings: (m,) compressed run lengths of those with a mask.
        measures: Of those masks.
        batches: Where they come from, in their order; empty where that is not known.
    """

    images: Ints
    categories: Ints
    scores: Floats
    boxes: Floats
    sizes: Ints
    has_mask: Flags
    strings: Sequence[str]
    measures: MaskMeasures
    batches: tuple[Batch, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def mask_areas(self) -> Ints:
        """Pixels of the masks that there are, int64 (m,)."""
        return self.measures.areas

    def place_of(self, index: int) -> str:
        """Return file and row of a detection, for people."""
        first = 0
        for batch in self.batches:
            if index < first + batch.rows:
                return f"{batch.path}: row {batch.first_row + index - first}"
            first += batch.rows
        return f"detection {index}"

    def best_of_each_image(self, limit: int) -> Detections:
        """Keep the ``limit`` highest scored detections of each image over all classes; ties by their order."""
        if np.unique(self.images, return_counts=True)[1].max(initial=0) <= limit:
            return self
        order = np.lexsort((-self.scores, self.images))  # lexsort is stable
        images = self.images[order]
        first = np.flatnonzero(np.diff(images, prepend=images[:1] - 1))
        rank = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
        kept = np.zeros(len(order), bool)
        kept[order[rank < limit]] = True
        return self.where(kept)

    def without_masks(self) -> Detections:
        """Return the same boxes as detections that have no masks."""
        return replace(self, has_mask=np.zeros(len(self), bool), strings=(), measures=NO_MEASURES)

    def where(self, kept: Flags) -> Detections:
        """Return those where ``kept``, bool (N,), is True."""
        kept_masks = kept[self.has_mask]
        return Detections(
            images=self.images[kept],
            categories=self.categories[kept],
            scores=self.scores[kept],
            boxes=self.boxes[kept],
            sizes=self.sizes[kept],
            has_mask=self.has_mask[kept],
            strings=chosen_texts(self.strings, kept_masks),
            measures=self.measures.at(kept_masks),
        )


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Detections of which all is checked that needs no annotations.

    Args:
        detections: The detections; their sizes are what the file says.
        checked_with: The annotations that they have been checked against, if they have.
    """

    detections: Detections
    checked_with: GroundTruth | None = None

    def column(self, name: str) -> Ints:
        """Return a column of ids or sides, int64 (N,)."""
        found = self.detections
        columns = {"image_id": found.images, "category_id": found.categories}
        return columns[name] if name in columns else found.sizes[:, ("height", "width").index(name)]

    def refuse(self, wrong: Flags, field: str, what: str, cure: str | None = None) -> None:
        """Raise an error that names the first wrong row, if there is one; ``{}`` in ``what`` is its value."""
        if wrong.any():
            row = int(np.argmax(wrong))
            where = f"{self.detections.place_of(row)}, {field}"
            raise UserError(what.format(self.column(field)[row].tolist()), where=where, cure=cure)

    def of(self, truth: GroundTruth) -> Detections:
        """Check the detections against the annotations they were made for.

        Raises:
            UserError: An image or category that the annotation file does not have, or an image size unlike the record;
                names file, row and field.
        """
        if truth is not self.checked_with:
            check_ids_and_sizes(self, truth)
        return self.detections


def read_detections(batches: Iterable[Records], truth: GroundTruth) -> Detections:
    """Check detections and gather them, as `gather` and `Gathered.of` do.

    Args:
        batches: Records of kind ``detections``.
        truth: The annotations they were made for.

    Raises:
        UserError: As there.
    """
    return gather(batches, truth).of(truth)


def gather(batches: Iterable[Records], truth: GroundTruth | None = None) -> Gathered:
    """Check detections and gather them.

    Args:
        batches: Records of kind ``detections``.
        truth: The annotations they were made for, if they are known: that a detection does not fit them is then told
            before any other fault.

    Raises:
        UserError: A score or box that is not finite, a box of negative size, or a malformed mask; names file, row and
            field. With ``truth`` also what `Gathered.of` raises.
    """
    columns: dict[str, list[npt.NDArray[Any]]] = {
        name: [] for name in ("images", "categories", "scores", "boxes", "sizes")
    }
    has_mask: list[Flags] = []
    texts: list[Chunk] = []
    measures: list[Measured] = []
    read: list[Batch] = []
    for records in batches:
        read.append(Batch(records.path, records.first_row, len(records)))
        if truth is not None:
            check_ids_and_sizes(records, truth)
        scores, boxes = records.column("score"), records.column("bbox")
        records.refuse(~np.isfinite(scores), "score", "must be a finite number, not {}")
        records.refuse(~np.isfinite(boxes).all(axis=1), "bbox", "must be four finite numbers, not {}")
        records.refuse((boxes[:, 2] < 0) | (boxes[:, 3] < 0), "bbox", "has a negative width or height {}")
        characters, offsets, measured = records.checked_characters()
        texts.append((characters, offsets))
        measures.append(measured)
        has_mask.append(records.has_mask())
        sizes = np.stack([records.column("height"), records.column("width")], axis=1)
        found = (records.column("image_id"), records.column("category_id"), scores, boxes, sizes)
        for column, values in zip(columns.values(), found, strict=True):
            column.append(values)
    detections = Detections(
        images=_joined(columns.pop("images"), np.int64),
        categories=_joined(columns.pop("categories"), np.int64),
        scores=_joined(columns.pop("scores"), np.float64),
        boxes=_joined(columns.pop("boxes"), np.float64).reshape(-1, 4),
        sizes=_joined(columns.pop("sizes"), np.int64).reshape(-1, 2),
        has_mask=_joined(has_mask, np.bool_),
        strings=MaskTexts(texts),
        measures=MaskMeasures(
            _joined([part.areas for part in measures], np.int64),
            _joined([part.starts for part in measures], np.uint32),
            _joined([part.stops for part in measures], np.uint32),
        ),
        batches=tuple(read),
    )
    return Gathered(detections=detections, checked_with=truth)


def check_ids_and_sizes(records: Records | Gathered, truth: GroundTruth) -> None:
    """Check that images and categories are known and image sizes right.

    Raises:
        UserError: They are not; names file, row and field.
    """
    places, known = places_in(truth.image_ids, records.column("image_id"))
    others = int(np.count_nonzero(~known))
    more = f" ({others} of {len(known)} rows are of images that it does not have)" if others > 1 else ""
    records.refuse(~known, "image_id", f"{truth.path.name} has no image {{}}{more}", OTHER_ANNOTATIONS)
    _, known = places_in(truth.category_ids, records.column("category_id"))
    records.refuse(~known, "category_id", f"{truth.path.name} has no category {{}}", _OF_THE_FILE)
    for field, sides in (("height", truth.heights[places]), ("width", truth.widths[places])):
        wrong = records.column(field) != sides
        expected = sides[np.argmax(wrong)] if wrong.any() else 0
        records.refuse(wrong, field, f"is {{}}, but {truth.path.name} has {expected} for this image")


def _joined(parts: list[npt.NDArray[Any]], dtype: type) -> npt.NDArray[Any]:
    return np.concatenate(parts, dtype=dtype) if parts else np.zeros(0, dtype)
