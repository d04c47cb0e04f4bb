"""What an LVIS annotation file says beyond COCO format.

LVIS (Gupta, Dollár and Girshick, CVPR 2019; https://www.lvisdataset.org) labels over a thousand classes, so that no
image can be searched for all of them. Each image lists the classes that were looked for and are not there
(``neg_category_ids``) and those of which only some objects are drawn (``not_exhaustive_category_ids``); about any other
class without an annotation nothing is known. A category has a WordNet synset and a ``frequency`` in training images:
rare (1 to 10), common (11 to 100) or frequent. Files of v0.5 and v1 are both read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from psis_bench.data.coco_format import CocoFile
from psis_bench.data.lvis_images import ABSENT, NOT_EXHAUSTIVE, coco_folder, is_lvis
from psis_bench.errors import UserError
from psis_bench.run_lengths import Ints

FREQUENCIES = {"r": "rare", "c": "common", "f": "frequent"}


@dataclass(frozen=True, kw_only=True)
class Federation:
    """What is known about which images.

    Attributes:
        absent: int64 (n, 2): image id and category id of classes that are known not to be in an image.
        not_exhaustive: int64 (m, 2): image id and category id of classes of which not every object is drawn.
        frequencies: Category id to ``rare``, ``common`` or ``frequent``.
        synsets: Category id to synset, where the file has one.
        folders: Image id to COCO's folder of the image (``train2017``, ``val2017``), where the file says it.
    """

    absent: Ints
    not_exhaustive: Ints
    frequencies: dict[int, str]
    synsets: dict[int, str]
    folders: dict[int, str] = field(default_factory=dict)

    def groups(self) -> dict[str, list[int]]:
        """Return the category ids of ``frequent``, ``common`` and ``rare`` classes, sorted."""
        names = reversed(FREQUENCIES.values())
        return {name: sorted(id_ for id_, own in self.frequencies.items() if own == name) for name in names}


def read_federation(coco: CocoFile) -> Federation | None:
    """Read what an LVIS file says beyond COCO format.

    Returns:
        None for a file that is not LVIS's.

    Raises:
        UserError: An image or a category does not say what the rules of LVIS need.
    """
    if not is_lvis(coco.images):
        return None
    ids = {int(category["id"]) for category in coco.categories}
    return Federation(
        absent=_pairs(coco, ABSENT, ids),
        not_exhaustive=_pairs(coco, NOT_EXHAUSTIVE, ids),
        frequencies={int(category["id"]): _frequency(coco, place) for place, category in enumerate(coco.categories)},
        synsets={int(entry["id"]): str(entry["synset"]) for entry in coco.categories if "synset" in entry},
        folders={int(image["id"]): folder for image in coco.images if (folder := coco_folder(image)) is not None},
    )


def _pairs(coco: CocoFile, key: str, ids: set[int]) -> Ints:
    pairs: list[tuple[int, int]] = []
    for place, image in enumerate(coco.images):
        listed, where = image.get(key), f"{coco.path}: images[{place}].{key}"
        if not isinstance(listed, list):
            raise UserError(
                "is missing" if key not in image else "is not a list", where=where, cure="give LVIS's own annotations"
            )
        for category in listed:
            if type(category) is not int or category not in ids:
                raise UserError(f"there is no category {category!r}", where=where, cure="give LVIS's own annotations")
            pairs.append((int(image["id"]), category))
    return np.array(pairs, np.int64).reshape(-1, 2)


def _frequency(coco: CocoFile, place: int) -> str:
    frequency = coco.categories[place].get("frequency")
    if frequency not in FREQUENCIES:
        what = "is missing" if frequency is None else f"is {frequency!r}"
        raise UserError(f"{what}; r, c or f is needed", where=f"{coco.path}: categories[{place}].frequency")
    return FREQUENCIES[frequency]
