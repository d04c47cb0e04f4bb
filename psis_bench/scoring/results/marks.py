"""What is said beside the name of a result that other rows cannot be compared with."""

from __future__ import annotations

from collections.abc import Iterable

from psis_bench.scoring.results import extra_masks, probe_mark


def marks_of(notes: Iterable[str]) -> list[str]:
    """Return the marks that the notes of scores stand for, e.g. ``["probe mode"]``; of most results there is none."""
    notes = list(notes)
    marks = [extra_masks.MARK] if extra_masks.is_marked(notes) else []
    return [*marks, probe_mark.MARK] if probe_mark.is_probe(notes) else marks


def mark_notes(predictions: object) -> list[str]:
    """Return the notes that the scores of such predictions carry for their marks to be known by."""
    return [*extra_masks.extra_mask_notes(predictions), *probe_mark.probe_notes(predictions)]
