"""Results of probe mode, which is another protocol (docs/sweeps.md): how they are known, and how they are marked.

What tells them is the manifest beside the predictions, so that the mark is there however often they are scored.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from psis_bench.scoring.results.extra_masks import manifest_of

PROBE = "probe"
"""Key of ``predictions/manifest.json``: true for predictions of a probe."""

MARK = "probe mode"
"""What marked rows say."""

NOTE = (
    f"{MARK}: a mask head on the frozen features of a detector that was trained on boxes; not comparable with a "
    "training of its own"
)
"""What the scores carry."""


def probe_notes(predictions: object) -> list[str]:
    """Return the note that the scores of such predictions carry; none for any others."""
    return [NOTE] if is_of_probe(predictions) else []


def is_of_probe(predictions: object) -> bool:
    """Whether these are the predictions of a probe: a folder whose manifest says so."""
    return isinstance(predictions, Path) and manifest_of(predictions).get(PROBE) is True


def is_probe(notes: Iterable[str]) -> bool:
    """Whether the notes of scores say that they are of a probe."""
    return any(note.startswith(MARK) for note in notes)
