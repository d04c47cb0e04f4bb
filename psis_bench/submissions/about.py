"""What only a person knows of a result, in a small YAML file that is half filled in already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.files import write_text
from psis_bench.yaml_file import check_keys, read_mapping

_LINES = {
    "model": "name of the row and its folder: lower-case letters, digits and _ . + -",
    "title": "as people call it, for example Deep-MARC, ResNet-50",
    "backbone": "for example ResNet-50 with FPN",
    "mask_head": "for example hourglass100; leave empty if it has none",
    "parameters": "how many weights are learnt; leave empty if you do not know",
    "pretraining": "none, or what and on which images, for example ImageNet-1k classification",
    "mask_sources": "everything masks were learnt from, one text each",
    "extra_data": "every image source beyond the training part, one text each",
    "seed": "of this result",
    "hardware": "what it was trained on",
    "hours": "how long it was trained; leave empty if you do not know",
    "ms_per_image": "milliseconds for one image, with what it was measured on in notes; may be empty",
    "software": "what it was trained with, and its version",
    "code_url": "https address of the code; may be empty",
    "predictions_url": "https address of the predictions, if they are too large to be kept here; may be empty",
    "weights_url": "https address of the weights (.safetensors); may be empty",
    "authors": "one text each",
    "paper_title": "where the method is described; may be empty",
    "paper_url": "https address; may be empty",
    "paper_year": "may be empty",
    "licence": "of the numbers, predictions and weights, for example CC-BY-4.0",
    "notes": "one line, for example what differs from the paper; may be empty",
}
"""The keys, and what to write."""

_NEEDED = (
    "model",
    "title",
    "backbone",
    "pretraining",
    "mask_sources",
    "seed",
    "hardware",
    "software",
    "authors",
    "licence",
)


def write_template(path: Path, known: Mapping[str, Any]) -> None:
    """Write a file to be filled in.

    Args:
        path: Where.
        known: What is known already, by the keys of the file.
    """
    import yaml

    lines = [
        "# About a result. Fill in what is empty, correct what is filled in, and run the same command again.",
        "# One line of plain text each; lists look like [first, second]. docs/submit.md explains the fields.",
    ]
    for key, told in _LINES.items():
        value = known.get(key)
        text = "" if value is None else yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
        text = text.removesuffix("\n").removesuffix("\n...")
        needed = " (needed)" if key in _NEEDED and value in (None, [], "") else ""
        lines += ["", f"# {told}{needed}", f"{key}: {text}".rstrip()]
    write_text(path, "\n".join(lines) + "\n")


def read_about(path: Path) -> dict[str, Any]:
    """Read the file.

    Raises:
        UserError: Every key that is needed and empty, or the first that is wrong.
    """
    values = read_mapping(path, what="about")
    check_keys(values, where=str(path), allowed=tuple(_LINES), required=())
    empty = [key for key in _NEEDED if values.get(key) in (None, "", [])]
    if empty:
        raise UserError(f"not filled in: {', '.join(empty)}", where=str(path), cure="fill in these lines")
    for key in ("mask_sources", "extra_data", "authors"):
        if isinstance(values.get(key), str):
            values[key] = [values[key]]
    return {key: values.get(key) for key in _LINES}


def as_slug(text: str) -> str:
    """Return a name for a folder that is made from a text."""
    return re.sub(r"[^a-z0-9_.+-]+", "_", text.lower()).strip("_.+-")[:80].rstrip("_.+-") or "model"
