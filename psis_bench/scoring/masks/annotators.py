"""The agreement of annotators beside GT-box mIoU: the IoU of two annotations of the same objects.

How much can be gained by better masks is known from how far people agree (paper, appendix B.1: masks of COCO reach 83
to 87 % against those of experts, as Gupta et al., *LVIS*, measured). Where a second annotation file has some of the
objects, their mean IoU stands beside that of the model *on the same objects*: an object is in both files when it is of
the same class, and each box is the other's best with an IoU of 0.5 or more, so that objects are not chosen by their
masks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from psis_bench.data.coco_format import CocoFile, check_coco, read_coco
from psis_bench.errors import UserError
from psis_bench.run_lengths import Ints, pairwise_iou
from psis_bench.scoring.inputs.annotations import Annotations
from psis_bench.scoring.inputs.ground_truth import Floats, GroundTruth, read_ground_truth
from psis_bench.scoring.masks.gt_box_iou import mean_iou
from psis_bench.scoring.masks.mutual_iou import mutually_best
from psis_bench.scoring.results.mean_iou import Annotators
from psis_bench.splits.synsets import COCO_SYNSETS

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes

Source = Path | Mapping[str, Any]
"""An annotation file, or its content."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Objects that another annotation has too.

    Args:
        places: int64 (m,), ascending: places in ``truth.instances``.
        ious: float64 (m,) in [0, 1]: IoU of the two masks.
        note: How many they are, one sentence.
    """

    places: Ints
    ious: Floats
    note: str

    def of(self, categories: Ints, category_ids: Collection[int], ious: Floats | None) -> Annotators:
        """Average over a group of classes.

        Args:
            categories: int64 (n,): category ids of ``truth.instances``.
            category_ids: The classes of the group.
            ious: float64 (n,): IoU of the masks predicted on ground-truth boxes, where there are any.
        """
        own = categories[self.places]
        there = own[np.isin(own, list(category_ids))]
        return Annotators(
            objects=len(there),
            classes=len(np.unique(there)),
            agreement=mean_iou(self.ious, own, category_ids),
            gt_box_miou=None if ious is None else mean_iou(ious[self.places], own, category_ids),
        )


def read_agreement(held: Annotations, annotations: Source, other: Source, *, on_bad_boxes: OnBadBoxes) -> Agreement:
    """Compare the objects that are scored with another annotation of the same images.

    Args:
        held: The annotations that are scored against.
        annotations: Where they come from.
        other: The other annotations: of COCO format, LVIS's or any. Images are the same when their ids are; where no id
            is, when their file names are, folders left aside. Classes are the same by their synset where both files
            give one or COCO has one for the name (`psis_bench.splits.synsets`), and by their name otherwise.
        on_bad_boxes: As for the scored annotations.

    Raises:
        UserError: The other annotations are malformed or those that are scored, or have images of other sizes, none of
            the images, or none of the objects.
    """
    if isinstance(other, Path):
        coco = read_coco(other, on_bad_boxes=on_bad_boxes)
    else:
        coco = check_coco(other, path=Path("other"), on_bad_boxes=on_bad_boxes)
    first, second, where = held.truth, read_ground_truth(coco), str(coco.path)
    if first.sha256 == second.sha256:
        raise UserError("is what is scored against", where=where, cure="give other annotations of the same images")
    images = _images(held, annotations, coco)
    _check_sizes(first, second, images, where)
    classes = _classes(held.categories, coco.categories)
    ours = list(zip(*_columns(first), strict=True))
    numbers = {key: number for number, key in enumerate(dict.fromkeys(ours))}
    theirs = [(images.get(image), classes.get(category)) for image, category in zip(*_columns(second), strict=True)]
    known = np.array([place for place, key in enumerate(theirs) if key in numbers], np.int64)
    rows, columns, _ = mutually_best(
        np.array([numbers[key] for key in ours], np.int64),
        first.boxes[first.instances],
        np.array([numbers[theirs[place]] for place in known.tolist()], np.int64),
        second.boxes[second.instances[known]],
    )
    if not len(rows):
        cure = "give annotations of the same objects, by COCO's, LVIS's or the same class names"
        raise UserError("has no object of these images and classes", where=where, cure=cure)
    masks, others = first.instance_masks.take(rows), second.masks_at(second.instances[known[columns]])
    note = f"annotators: {len(rows):,} of {len(ours):,} objects are in {coco.path.name} too, and compared with it"
    return Agreement(places=rows, ious=pairwise_iou(masks, others), note=note)


def _columns(truth: GroundTruth) -> tuple[list[int], list[int]]:
    """Return image and category id of every object that has a mask and is no crowd."""
    places = truth.instances
    return truth.images[places].tolist(), truth.categories[places].tolist()


def _images(held: Annotations, annotations: Source, coco: CocoFile) -> dict[int, int]:
    """Return the ids of the other file's images that are scored, with their ids there.

    Raises:
        UserError: There are none.
    """
    scored = set(held.truth.image_ids.tolist())
    theirs = {int(image["id"]): _name_of(image) for image in coco.images}
    same = {image: image for image in theirs if image in scored}
    if same:
        return same
    names = {name: int(image["id"]) for image in _records(annotations) if (name := _name_of(image)) is not None}
    same = {image: names[name] for image, name in theirs.items() if name in names}
    if not same:
        raise UserError(
            "has none of these images, neither by id nor by file name",
            where=str(coco.path),
            cure="give annotations of the same images",
        )
    return same


def _records(annotations: Source) -> list[dict[str, Any]]:
    """Return the image records of annotations that have been checked before."""
    if isinstance(annotations, Path):
        return read_coco(annotations, masks=False, on_bad_boxes="drop").images
    return check_coco(annotations, masks=False, on_bad_boxes="drop").images


def _name_of(image: Mapping[str, Any]) -> str | None:
    name = image.get("file_name")
    return name.rpartition("/")[2] if isinstance(name, str) else None


def _check_sizes(first: GroundTruth, second: GroundTruth, images: Mapping[int, int], where: str) -> None:
    """Refuse masks of the same image at another size, which would seem to be of other objects."""
    for image, own in images.items():
        (height, width), (known_height, known_width) = second.sizes[image], first.sizes[own]
        if (height, width) != (known_height, known_width):
            raise UserError(
                f"image {image} is {width} x {height} pixels, in {first.path} it is {known_width} x {known_height}",
                where=where,
                cure="give annotations of the images at the same size",
            )


def _classes(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Return the category ids of the other file that are scored, with their ids there."""
    by_synset = {synset: int(entry["id"]) for entry in ours if (synset := _synset_of(entry)) is not None}
    by_name = {str(entry["name"]): entry for entry in ours}
    found = {}
    for entry in theirs:
        synset, namesake = _synset_of(entry), by_name.get(str(entry["name"]))
        if synset in by_synset:
            found[int(entry["id"])] = by_synset[synset]
        elif namesake is not None and None in (synset, _synset_of(namesake)):
            found[int(entry["id"])] = int(namesake["id"])
    return found


def _synset_of(category: Mapping[str, Any]) -> str | None:
    """Return what the file says, or what LVIS says of the COCO class of this name."""
    return category["synset"] if "synset" in category else COCO_SYNSETS.get(str(category["name"]))
