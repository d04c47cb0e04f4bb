"""Detections that are there twice: the same image, class, score, box and mask.

A file that was written twice has such detections, each a false positive of its own without anybody noticing, and is
refused. What a model gives in memory may have them too (boxes of zeros that fill a list up), and is scored as it is, as
pycocotools does.
"""

from __future__ import annotations

import numpy as np

from psis_bench.errors import UserError
from psis_bench.scoring.inputs.detections import Detections


def refuse_repeated(detections: Detections) -> None:
    """Refuse detections that are equal in everything.

    Args:
        detections: As `psis_bench.scoring.inputs.detections.read_detections` gave them.

    Raises:
        UserError: Two are equal; names file and row of the first that repeats another, and that other.
    """
    found = repeated(detections)
    if found:
        row, first = found[0]
        more = f" (and {len(found) - 1} more repeat others)" if len(found) > 1 else ""
        raise UserError(
            f"repeats {detections.place_of(first)}: the same image, class, score, box and mask{more}",
            where=detections.place_of(row),
            cure="leave each detection in once",
        )


def repeated(detections: Detections) -> list[tuple[int, int]]:
    """Return the places of detections that equal an earlier one, ascending, each with the first of that kind.

    Args:
        detections: As `psis_bench.scoring.inputs.detections.read_detections` gave them.
    """
    numbers = [detections.images, detections.scores, detections.categories, *detections.boxes.T]
    # Few share their score: what else is equal is looked at for those alone.
    ascending = np.sort(detections.scores)
    order = np.flatnonzero(np.isin(detections.scores, ascending[1:][ascending[1:] == ascending[:-1]]))
    order = order[np.lexsort([column[order] for column in reversed(numbers)])]  # stable: the file's order stays
    equal = np.ones(max(len(order) - 1, 0), bool)
    for column in numbers:
        equal &= column[order][1:] == column[order][:-1]
    if not equal.any():
        return []
    texts = np.full(len(detections), -1, np.int64)
    texts[detections.has_mask] = np.arange(len(detections.strings))
    run = np.append(0, np.cumsum(~equal))  # one number for each set of equal rows
    seen: dict[tuple[int, str | None], int] = {}
    found: list[tuple[int, int]] = []
    inside = np.append(equal, False) | np.append(False, equal)
    for place in np.flatnonzero(inside).tolist():
        row, text = int(order[place]), int(texts[order[place]])
        first = seen.setdefault((int(run[place]), detections.strings[text] if text >= 0 else None), row)
        if first != row:
            found.append((row, first))
    return sorted(found)
