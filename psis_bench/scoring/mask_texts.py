"""The compressed run lengths of many masks as text, without an object for each: six million of them fit in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import overload

import numpy as np

from psis_bench.run_lengths import Ints, offsets_of
from psis_bench.scoring.ground_truth import Flags

Chunk = tuple[bytes, Ints]
"""Characters of some texts one after the other, and where each begins and the last ends, int64 (n + 1,)."""


class MaskTexts(Sequence[str]):
    """Texts in chunks.

    Args:
        chunks: The texts, in their order.
    """

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = list(chunks)
        self._starts = offsets_of(np.array([len(offsets) - 1 for _, offsets in self._chunks], np.int64)).tolist()

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return a text, or a list of them."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no text {index} among {len(self)}")
        index %= len(self)
        chunk = bisect_right(self._starts, index) - 1
        data, offsets = self._chunks[chunk]
        nth = index - self._starts[chunk]
        return data[offsets[nth] : offsets[nth + 1]].decode("ascii")

    def __iter__(self) -> Iterator[str]:
        for data, offsets in self._chunks:
            yield from _cut(data, offsets[:-1], offsets[1:])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def where(self, kept: Flags) -> MaskTexts:
        """Return those where ``kept``, bool (N,), is True."""
        chunks: list[Chunk] = []
        for (data, offsets), start, stop in zip(self._chunks, self._starts[:-1], self._starts[1:], strict=True):
            own = kept[start:stop]
            if own.all():
                chunks.append((data, offsets))
            elif own.any():
                lengths = np.diff(offsets)
                characters = np.frombuffer(data, np.uint8)[np.repeat(own, lengths)]
                chunks.append((characters.tobytes(), offsets_of(lengths[own])))
        return MaskTexts(chunks)

    def listed(self, places: Ints) -> list[str]:
        """Return those at ``places``, int64 (n,), ascending, each as an object of its own."""
        found: list[str] = []
        bounds = np.searchsorted(places, self._starts)
        for (data, offsets), start, low, high in zip(
            self._chunks, self._starts[:-1], bounds[:-1], bounds[1:], strict=True
        ):
            own = places[low:high] - start
            found += _cut(data, offsets[own], offsets[own + 1])
        return found


def _cut(data: bytes, starts: Ints, stops: Ints) -> list[str]:
    text = data.decode("ascii")
    return [text[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]


def chosen_texts(texts: Sequence[str], kept: Flags) -> Sequence[str]:
    """Return the texts where ``kept``, bool (N,), is True."""
    if isinstance(texts, MaskTexts):
        return texts.where(kept)
    return tuple(compress(texts, kept.tolist()))


def listed_texts(texts: Sequence[str], places: Ints) -> list[str]:
    """Return the texts at ``places``, int64 (n,), ascending, each as an object of its own."""
    return texts.listed(places) if isinstance(texts, MaskTexts) else [texts[place] for place in places.tolist()]
