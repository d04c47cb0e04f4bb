"""Boxes that are not tight: the ground-truth boxes moved and scaled, the same way for every model.

At test time boxes come from a detector or from a person's hand. A box x, y, w, h becomes, at strength s,

* centre ``(x + w / 2 + s w u1, y + h / 2 + s h u2)``, width ``w (1 + s u3)``, height ``h (1 + s u4)``,

cut off at the image, with u1 to u4 uniform in [-1, 1). They are read from the SHA-256 of the annotation's id, so that
an object's box goes the same way at every strength, in every run and on every machine, and strengths differ in how far.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from psis_bench.errors import UserError
from psis_bench.run_lengths import Ints
from psis_bench.scoring.inputs.ground_truth import Floats

TIGHT = "gt_box_masks"
_PREFIX = "jittered_boxes_"
_MOST = 0.5


def read_strengths(text: str) -> tuple[float, ...]:
    """Read strengths as they are typed, ``0.1,0.2``; ascending.

    Raises:
        UserError: One is not a number above 0 and at most 0.5, or is there twice.

    Example:
        >>> read_strengths("0.2,0.1")
        (0.1, 0.2)
    """
    found = []
    for word in text.split(","):
        strength = _strength(word)
        if strength is None:
            raise UserError(
                f"box_jitter={text}: {word!r} is not a share of a box's size", cure="as in box_jitter=0.1,0.2"
            )
        found.append(strength)
    if len(set(found)) < len(found):
        raise UserError(f"box_jitter={text} has a strength twice", cure="once will do")
    return tuple(sorted(found))


def folder_of(strength: float) -> str:
    """Return the name of the folder with the masks on boxes of a strength, beside ``gt_box_masks``."""
    return f"{_PREFIX}{strength!r}"


def strength_of(folder: Path) -> float | None:
    """Return the strength of a folder of predictions; None when it is none of jittered boxes.

    Raises:
        UserError: What its name says is no strength, or not in the form of `folder_of`.
    """
    if not folder.name.startswith(_PREFIX):
        return None
    text = folder.name.removeprefix(_PREFIX)
    strength = _strength(text)
    if strength is None:
        what = f"{text!r} is not a strength above 0 and at most {_MOST}"
        raise UserError(what, where=str(folder), cure=f"name the folder as in {folder_of(0.1)}, or move it away")
    if folder.name != folder_of(strength):
        what = f"the strength is written {strength!r}"
        raise UserError(what, where=str(folder), cure=f"name the folder {folder_of(strength)}")
    return strength


def _strength(text: str) -> float | None:
    """Return a strength as it is typed, or None if it is none."""
    try:
        strength = float(text)
    except ValueError:
        return None
    return strength if 0 < strength <= _MOST else None


def box_sets(
    instances: Sequence[Mapping[str, Any]], record: Mapping[str, Any], strengths: Sequence[float]
) -> dict[str, Floats]:
    """Return every set of boxes of an image by the folder that its masks go to, the tight ones first.

    Args:
        instances: COCO annotations of the image.
        record: Its COCO image record.
        strengths: Of the jitter; none gives the tight boxes alone.

    Returns:
        Folder name -> float64 (n, 4): xywh, absolute pixels.
    """
    tight = np.array([instance["bbox"] for instance in instances], np.float64).reshape(-1, 4)
    ids = np.array([instance["id"] for instance in instances], np.int64)
    sizes = np.tile(np.array([record["height"], record["width"]], np.int64), (len(ids), 1))
    jittered = {folder_of(strength): jittered_boxes(tight, ids, sizes, strength=strength) for strength in strengths}
    return {TIGHT: tight, **jittered}


def jittered_boxes(boxes: Floats, annotation_ids: Ints, sizes: Ints, *, strength: float) -> Floats:
    """Move and scale boxes.

    Args:
        boxes: float64 (n, 4): xywh, absolute pixels.
        annotation_ids: int64 (n,).
        sizes: int64 (n, 2): height and width of each one's image.
        strength: s, in (0, 0.5].

    Returns:
        float64 (n, 4): xywh, inside the image, at least a pixel wide and high.

    Example:
        >>> jittered_boxes(np.array([[10.0, 10.0, 40.0, 20.0]]), np.array([7]), np.array([[100, 100]]), strength=0.1)
        array([[ 5.34766636, 12.26832493, 41.57800918, 18.30548614]])
    """
    moves = np.array([_moves(int(annotation)) for annotation in annotation_ids], np.float64).reshape(-1, 4)
    extent = boxes[:, 2:]
    middle = boxes[:, :2] + extent / 2 + strength * extent * moves[:, :2]
    half = extent * (1 + strength * moves[:, 2:]) / 2
    image = sizes[:, ::-1].astype(np.float64)
    low = np.clip(middle - half, 0, image - 1)
    high = np.clip(middle + half, low + 1, image)
    return np.concatenate([low, high - low], axis=1)


def _moves(annotation: int) -> list[float]:
    """Return four numbers in [-1, 1) that belong to an annotation id."""
    digest = hashlib.sha256(f"box_jitter/{annotation}".encode()).digest()
    return [int.from_bytes(digest[4 * place : 4 * place + 4], "little") / 2**31 - 1 for place in range(4)]
