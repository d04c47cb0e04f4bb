"""Results that owe something to masks which the split does not allow: how they are known, and how they are marked.

A segmenter such as SAM has learned from masks of any class. It is scored by the same rules, as an upper bound, and
every result of it is marked: in the scores' notes, in tables, in reports and in submissions (protocol 2.5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

EXTRA_MASKS = "extra_masks"
"""Key of ``predictions/manifest.json``: which masks, in words."""

LEARNS_NO_MASKS = "learns_no_masks"
"""Key of ``predictions/manifest.json``: true for a model that is trained without any mask."""

MARK = "extra mask data"
"""What marked rows say."""


def manifest_of(predictions: Path) -> dict[str, Any]:
    """Return the content of a prediction folder's manifest; empty where there is none."""
    try:
        content = json.loads((predictions / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def extra_mask_notes(predictions: object) -> list[str]:
    """Return the note that the scores of such predictions carry; none for any others."""
    words = manifest_of(predictions).get(EXTRA_MASKS) if isinstance(predictions, Path) else None
    return [f"{MARK}, not comparable with other rows: {words}"] if words else []


def is_marked(notes: Iterable[str]) -> bool:
    """Whether the notes of scores say that there was extra mask data."""
    return any(note.startswith(MARK) for note in notes)
