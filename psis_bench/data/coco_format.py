"""Reading a COCO-format annotation file that can be relied on afterwards.

What comes out has been held to every rule of `psis_bench.data.coco_rules`; nothing is changed on the way but names of
LVIS's images, and no mask reaches a decoder before its run lengths were added up. Format: https://cocodataset.org/#format-data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from psis_bench.data.coco_columns import AnnotationColumns, columns_of
from psis_bench.data.coco_rules import AnnotationRules, check_categories, check_images
from psis_bench.data.dataset_config import OnBadBoxes
from psis_bench.data.json_file import load_json
from psis_bench.data.lvis_images import with_named_images
from psis_bench.data.problems import Report, raising
from psis_bench.errors import UserError
from psis_bench.files import sha256_of_json
from psis_bench.garbage_collection import without_garbage_collection

_SECTIONS = ("images", "annotations", "categories")
_WANTED = "give COCO ground truth: an object with images, annotations and categories"


@dataclass(frozen=True, kw_only=True)
class CocoFile:
    """A checked COCO annotation file.

    Attributes:
        path: The file.
        images: Records with ``id``, ``file_name``, ``height``, ``width`` (pixels) and whatever else the file has.
        annotations: Records with ``id``, ``image_id``, ``category_id``, ``bbox`` (xywh, absolute pixels); perhaps
            ``segmentation``, ``area``, ``iscrowd``.
        categories: Records with ``id`` and ``name``.
        sha256: Of the file's bytes.
        dropped: Annotations left out for a box of no area or outside its image.
        masks_checked: Whether segmentations were held to the rules, too.
        columns: The annotations once more, as columns, where none of them had to be looked at closely.
    """

    path: Path
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    categories: list[dict[str, Any]]
    sha256: str
    dropped: int = 0
    masks_checked: bool = False
    columns: AnnotationColumns | None = None


class Checked(NamedTuple):
    """What came of holding content to the rules.

    Args:
        dropped: Indices of the annotations to drop.
        columns: As in `CocoFile`.
    """

    dropped: set[int]
    columns: AnnotationColumns | None = None


def read_coco(
    path: Path, *, images: Path | None = None, masks: bool = True, on_bad_boxes: OnBadBoxes = "error"
) -> CocoFile:
    """Read and check an annotation file.

    Args:
        path: The file.
        images: Folder of the images; when given, every image must be there.
        masks: Whether segmentations are checked. Without, they must not be used.
        on_bad_boxes: ``error``, or ``drop`` annotations whose box has no area or lies outside the image; how many
            were dropped is told on standard error.

    Raises:
        UserError: The first fault, with file, place and cure.
    """
    content, sha256 = load_json(path)
    return check_coco(content, path=path, sha256=sha256, images=images, masks=masks, on_bad_boxes=on_bad_boxes)


def check_coco(
    content: Any,
    *,
    path: Path = Path("annotations"),
    sha256: str | None = None,
    images: Path | None = None,
    masks: bool = True,
    on_bad_boxes: OnBadBoxes = "error",
) -> CocoFile:
    """Check the content of an annotation file that is in memory.

    Args:
        content: A mapping with images, annotations and categories.
        path: What errors call the file.
        sha256: Of the file's bytes; None takes that of the content as JSON.
        images: As for `read_coco`.
        masks: As for `read_coco`.
        on_bad_boxes: As for `read_coco`.

    Raises:
        UserError: The first fault, with file, place and cure.
    """
    report = raising(path)
    content = with_named_images(content)
    dropped, columns = check_content(content, report=report, masks=masks, drop_bad_boxes=on_bad_boxes == "drop")
    if images is not None:
        from psis_bench.data.image_files import find_missing  # brings processes and a progress bar with it

        find_missing(content["images"], images, report=report)
    annotations = content["annotations"]
    if dropped:
        annotations = [annotation for index, annotation in enumerate(annotations) if index not in dropped]
        tell_dropped(path, len(dropped))
    return CocoFile(
        path=path,
        images=content["images"],
        annotations=annotations,
        categories=content["categories"],
        sha256=_hash_of(content, path) if sha256 is None else sha256,
        dropped=len(dropped),
        masks_checked=masks,
        columns=columns,
    )


def check_content(content: Any, *, report: Report, masks: bool, drop_bad_boxes: bool) -> Checked:
    """Hold the parsed content of an annotation file to every rule.

    Args:
        content: What the JSON holds.
        report: Takes the faults; when it returns, the check goes on.
        masks: Whether segmentations are checked.
        drop_bad_boxes: Whether annotations with bad boxes are to be dropped rather than reported.
    """
    if not _has_sections(content, report):
        return Checked(set())
    sizes = check_images(content["images"], report)
    category_ids = check_categories(content["categories"], report)
    for section in ("images", "categories"):
        if not content[section]:
            report(section, "is empty", _WANTED)
    columns = columns_of(content["annotations"], sizes=sizes, category_ids=category_ids, masks=masks)
    if columns is not None:
        return Checked(set(), columns)
    rules = AnnotationRules(
        sizes=sizes, category_ids=category_ids, report=report, masks=masks, drop_bad_boxes=drop_bad_boxes
    )
    with without_garbage_collection():
        dropped = {place for place, record in enumerate(content["annotations"]) if not rules.check(place, record)}
    rules.finish()
    return Checked(dropped)


def tell_dropped(path: Path, count: int) -> None:
    """Say on standard error how many annotations were left out."""
    from psis_bench import console

    told = f"{path}: left out {count} annotations whose box has no area or lies outside the image"
    console.err.print(told, style="dim", markup=False, soft_wrap=True)


def _has_sections(content: Any, report: Report) -> bool:
    """Report content that is not COCO ground truth; return whether the check can go on."""
    if isinstance(content, list):
        is_results = bool(content) and isinstance(content[0], dict) and "score" in content[0]
        report("", "is a list of results (predictions)" if is_results else "is a list, not COCO format", _WANTED)
        return False
    if not isinstance(content, dict):
        report("", "is a single value, not COCO format", _WANTED)
        return False
    missing = [section for section in _SECTIONS if section not in content]
    if missing:
        found = ", ".join(str(key)[:30] for key in list(content)[:6]) or "nothing"
        report("", f"is not COCO format: has no {' and no '.join(missing)} (it has {found})", _WANTED)
        return False
    for section in _SECTIONS:
        if not isinstance(content[section], list):
            report(section, "is not a list", _WANTED)
            return False
    return True


def _hash_of(content: Any, path: Path) -> str:
    try:
        return sha256_of_json(content)
    except (TypeError, ValueError) as error:
        raise UserError(f"holds what JSON cannot hold: {error}", where=str(path), cure="give plain values") from None
