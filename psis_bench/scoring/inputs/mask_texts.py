"""The compressed run lengths of many masks as text, without an object for each: six million of them fit in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any, NamedTuple, overload

import numpy as np

from psis_bench.garbage_collection import without_garbage_collection
from psis_bench.run_lengths import Ints, offsets_of
from psis_bench.scoring.inputs.ground_truth import Flags

Chunk = tuple[memoryview, Ints]
"""Characters of some texts one after the other, and where each begins and the last ends, int64 (n + 1,)."""


class MaskTexts(Sequence[str]):
    """Texts in chunks; a choice of them shares their characters.

    Args:
        chunks: The texts, in their order.
    """

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._hold([_Cuts(data, offsets[:-1], offsets[1:]) for data, offsets in chunks])

    def _hold(self, parts: list[_Cuts]) -> None:
        self._parts = parts
        self._starts = offsets_of(np.array([len(part.starts) for part in parts], np.int64)).tolist()

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
        part = bisect_right(self._starts, index) - 1
        data, starts, stops = self._parts[part]
        nth = index - self._starts[part]
        return str(data[starts[nth] : stops[nth]], "ascii")

    def __iter__(self) -> Iterator[str]:
        for data, starts, stops in self._parts:
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
                yield str(data[start:stop], "ascii")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def where(self, kept: Flags) -> MaskTexts:
        """Return those where ``kept``, bool (N,), is True."""
        parts: list[_Cuts] = []
        for part, start, stop in zip(self._parts, self._starts[:-1], self._starts[1:], strict=True):
            own = kept[start:stop]
            if own.any():
                parts.append(_Cuts(part.data, part.starts[own], part.stops[own]))
        chosen = MaskTexts(())
        chosen._hold(parts)
        return chosen

    def as_bytes(self, places: Ints) -> list[bytes]:
        """Return the characters of those at ``places``, int64 (n,), ascending."""
        found: list[bytes] = []
        bounds = np.searchsorted(places, self._starts)
        for part, first, low, high in zip(self._parts, self._starts[:-1], bounds[:-1], bounds[1:], strict=True):
            data, own = part.data, places[low:high] - first
            cuts = zip(part.starts[own].tolist(), part.stops[own].tolist(), strict=True)
            found += [bytes(data[start:stop]) for start, stop in cuts]
        return found


class _Cuts(NamedTuple):
    """Characters, and where each of some texts in them begins and ends, int64 (n,)."""

    data: memoryview
    starts: Ints
    stops: Ints


def chosen_texts(texts: Sequence[str], kept: Flags) -> Sequence[str]:
    """Return the texts where ``kept``, bool (N,), is True."""
    if isinstance(texts, MaskTexts):
        return texts.where(kept)
    return tuple(compress(texts, kept.tolist()))


def texts_as_bytes(texts: Sequence[str], places: Ints) -> list[bytes]:
    """Return the characters of the texts at ``places``, int64 (n,), ascending."""
    if isinstance(texts, MaskTexts):
        return texts.as_bytes(places)
    return [texts[place].encode("ascii") for place in places.tolist()]


def rles_of(strings: Sequence[str | bytes], sizes: Ints) -> list[dict[str, Any]]:
    """Return masks as RLEs; those of one size share the list that states it.

    Args:
        strings: n compressed run lengths.
        sizes: int64 (n, 2): height and width of each one's image.
    """
    _, first, which = np.unique(sizes[:, 0] * 2**32 + sizes[:, 1], return_index=True, return_inverse=True)
    sides = sizes[first].tolist()
    with without_garbage_collection():
        return [{"size": sides[place], "counts": string} for string, place in zip(strings, which.tolist(), strict=True)]
