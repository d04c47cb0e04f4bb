"""The image records of LVIS files: by what they are known, and which files they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ABSENT, NOT_EXHAUSTIVE = "neg_category_ids", "not_exhaustive_category_ids"
TRAIN_FOLDER = "train2017"
"""COCO's folder of the images that are trained on."""


def is_lvis(images: Sequence[Any]) -> bool:
    """Tell whether image records are of an LVIS file: one of them says which classes it was searched for."""
    return any(key in image for image in images if isinstance(image, dict) for key in (ABSENT, NOT_EXHAUSTIVE))


def coco_folder(image: Mapping[str, Any]) -> str | None:
    """Return COCO's folder of an LVIS image, ``train2017`` or ``val2017``, as its ``coco_url`` has it; None without.

    Example:
        >>> coco_folder({"id": 139, "coco_url": "http://images.cocodataset.org/val2017/000000000139.jpg"})
        'val2017'
    """
    url = image.get("coco_url")
    parts = url.split("/") if isinstance(url, str) else []
    return parts[-2] if len(parts) > 1 else None


def with_named_images(content: Any) -> Any:
    """Give LVIS images a ``file_name`` that leads to COCO's 2017 image folders.

    LVIS v1 has no ``file_name`` but ``coco_url``, v0.5 has names of 2014; both draw on ``train2017`` and ``val2017``.

    Args:
        content: What the annotation file holds, not checked yet.

    Returns:
        The same, or a copy with ``file_name`` as ``val2017/000000000139.jpg`` where it had to be made.
    """
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not is_lvis(images):
        return content
    return {**content, "images": [_named(image) for image in images]}


def _named(image: Any) -> Any:
    if not isinstance(image, dict) or not isinstance(image.get("coco_url"), str):
        return image
    name = image.get("file_name")
    if name is not None and not str(name).startswith("COCO_"):
        return image
    return {**image, "file_name": "/".join(image["coco_url"].split("/")[-2:])}
