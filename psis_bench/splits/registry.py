"""The splits that come with the package. Adding one: docs/add_a_split.md."""

from __future__ import annotations

import hashlib
import re
from functools import cache

from psis_bench.errors import UserError, did_you_mean
from psis_bench.splits.categories import COCO_NAMES, NON_VOC_NAMES, VOC_NAMES
from psis_bench.splits.protocol import SplitProtocol

SINGLE_SOURCE = "single_source/"
RANDOM_PATTERN = "random/<n>/<seed>"

FULLY_SUPERVISED = SplitProtocol(
    name="fully_supervised",
    version=1,
    seen=COCO_NAMES,
    unseen=(),
    description="All 80 classes have masks: the upper reference.",
)

VOC2NONVOC = SplitProtocol(
    name="voc2nonvoc",
    version=1,
    seen=VOC_NAMES,
    unseen=NON_VOC_NAMES,
    description="The 20 VOC classes have masks, the other 60 are unseen: the main split.",
)

NONVOC2VOC = SplitProtocol(
    name="nonvoc2voc",
    version=1,
    seen=NON_VOC_NAMES,
    unseen=VOC_NAMES,
    description="The 60 non-VOC classes have masks, the 20 VOC classes are unseen.",
)

COCO2LVIS = SplitProtocol(
    name="coco2lvis",
    version=1,
    seen=COCO_NAMES,
    unseen=(),
    description="Trained with the masks of COCO's 80 classes, scored on LVIS; the other classes of LVIS are unseen.",
    max_detections=300,
    unseen_is_rest=True,
    by_synset=True,
)


def single_source(name: str) -> SplitProtocol:
    """Return the split in which one COCO class alone has masks (paper, Fig. 5).

    The unseen classes are those of the *other* group: the 60 non-VOC classes for a VOC class, the 20 VOC
    classes for a non-VOC class. The source's own group is scored in "all" only, so that rows of a
    transfer matrix share their columns.
    """
    unseen, count = (NON_VOC_NAMES, "60 non-VOC") if name in VOC_NAMES else (VOC_NAMES, "20 VOC")
    return SplitProtocol(
        name=SINGLE_SOURCE + name.replace(" ", "_"),
        version=1,
        seen=(name,),
        unseen=unseen,
        description=f"Only {name!r} has masks; the {count} classes are unseen.",
    )


def random_split(count: int, seed: int) -> SplitProtocol:
    """Return a split with ``count`` of the 80 COCO classes seen, chosen by ``seed``.

    The classes are ordered by the SHA-256 of ``"<seed>/<name>"`` and the first ``count`` are seen: the same on
    every machine and version of Python, and random/20/0 is contained in random/40/0.
    """
    order = sorted(COCO_NAMES, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).hexdigest())
    seen = set(order[:count])
    return SplitProtocol(
        name=f"random/{count}/{seed}",
        version=1,
        seen=tuple(name for name in COCO_NAMES if name in seen),
        unseen=tuple(name for name in COCO_NAMES if name not in seen),
        description=f"{count} random classes have masks (seed {seed}), the other {len(COCO_NAMES) - count} are unseen.",
    )


@cache
def _registered() -> dict[str, SplitProtocol]:
    splits = [VOC2NONVOC, NONVOC2VOC, FULLY_SUPERVISED, COCO2LVIS, *(single_source(name) for name in COCO_NAMES)]
    return {split.name: split for split in splits}


def list_splits() -> list[SplitProtocol]:
    """Return every split with a fixed name; ``random/<n>/<seed>`` and YAML files come on top of these."""
    return list(_registered().values())


def is_reserved(name: str) -> bool:
    """Whether a name belongs to this registry, so that a YAML file may not use it."""
    return name in _registered() or name.startswith((SINGLE_SOURCE, "random/"))


def get_split(name: str) -> SplitProtocol:
    """Return a split by its name, or read it from a YAML file.

    Args:
        name: A registered name, ``single_source/<class>`` (spaces or underscores), ``random/<n>/<seed>``, or a
            path that ends in ``.yaml`` or ``.yml``.

    Raises:
        UserError: There is no such split or file; names the nearest ones.
    """
    if name.endswith((".yaml", ".yml")):
        from psis_bench.splits.custom import read_split

        return read_split(name)
    wanted = name.replace(" ", "_")
    if wanted in _registered():
        return _registered()[wanted]
    if name == "random" or name.startswith("random/"):
        return _parse_random(name)
    names = list(_registered())
    if not name.startswith(SINGLE_SOURCE):
        # 80 near-identical names would crowd out the short ones.
        names = [known for known in names if not known.startswith(SINGLE_SOURCE)]
        names += [SINGLE_SOURCE + "<class>", RANDOM_PATTERN, "a path to a .yaml"]
    raise UserError(f"unknown split {name!r}", cure=did_you_mean(wanted, names))


def _parse_random(name: str) -> SplitProtocol:
    # ASCII digits only: \d also matches digits of other scripts.
    parts = re.fullmatch(r"random/([0-9]{1,9})/([0-9]{1,18})", name)
    if not parts:
        raise UserError(f"unknown split {name!r}", cure=f"write {RANDOM_PATTERN}, e.g. random/20/0")
    count, seed = int(parts[1]), int(parts[2])
    if not 1 <= count < len(COCO_NAMES):
        raise UserError(
            f"split {name!r} asks for {count} seen classes of {len(COCO_NAMES)}",
            cure=f"choose 1 to {len(COCO_NAMES) - 1}; all of them is split=fully_supervised",
        )
    return random_split(count, seed)
