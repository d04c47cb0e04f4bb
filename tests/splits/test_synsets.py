from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from psis_bench.errors import UserError
from psis_bench.splits import get_split
from psis_bench.splits.categories import COCO_CATEGORIES, COCO_NAMES
from psis_bench.splits.synsets import COCO_SYNSETS, categories_of

CATEGORIES = [
    {"id": 5, "name": "television_set", "synset": "television_receiver.n.01"},
    {"id": 2, "name": "sausage", "synset": "sausage.n.01"},
    {"id": 9, "name": "cat", "synset": "cat.n.01"},
]


def test_the_table_is_lvis_s_own(shared_data: Path) -> None:
    published = json.loads((shared_data / "annotations" / "coco_to_synset.json").read_bytes())
    assert {name: entry["synset"] for name, entry in published.items()} == COCO_SYNSETS
    assert {entry["coco_cat_id"]: name for name, entry in published.items()} == COCO_CATEGORIES
    assert tuple(COCO_SYNSETS) == COCO_NAMES


def test_the_classes_that_each_version_of_lvis_does_not_have(shared_data: Path) -> None:
    v1 = json.loads((shared_data / "annotations" / "lvis_v1_train_cat_info.json").read_bytes())
    v05 = json.loads((shared_data / "lvis_mini" / "lvis_v0.5_val_mini.json").read_bytes())["categories"]
    for categories, missing in ((v1, ("hot dog",)), (v05, ("oven", "hot dog"))):
        found, absent = categories_of(COCO_NAMES, {entry["id"]: entry["synset"] for entry in categories})
        assert set(absent) == set(missing)
        assert len(found) == 80 - len(missing)
        names = {entry["id"]: entry["name"] for entry in categories}
        assert {"television_set", "person", "wineglass"} - {names[id_] for id_ in found} <= {"person"}
    assert len(v1) - 79 == 1124


def test_on_lvis_seen_classes_are_found_by_synset_and_all_others_are_unseen() -> None:
    resolved = get_split("coco2lvis").resolve(CATEGORIES)
    assert (resolved.seen_ids, resolved.unseen_ids) == ({5, 9}, {2})
    assert len(resolved.absent) == 78
    assert "hot dog" in resolved.absent
    assert resolved.groups() == {"all": [2, 5, 9], "seen": [5, 9], "unseen": [2]}


def test_on_coco_the_same_split_has_all_80_seen_and_a_missing_one_is_an_error() -> None:
    categories = [{"id": id_, "name": name} for id_, name in COCO_CATEGORIES.items()]
    resolved = get_split("coco2lvis").resolve(categories)
    assert resolved.seen_ids == set(COCO_CATEGORIES)
    assert (resolved.groups().keys(), resolved.absent) == ({"all", "seen"}, ())
    with pytest.raises(UserError, match="has no class 'toothbrush'"):
        get_split("coco2lvis").resolve(categories[:-1])


def test_a_split_by_names_does_not_look_at_synsets() -> None:
    with pytest.raises(UserError, match="has no class 'person'"):
        get_split("voc2nonvoc").resolve(CATEGORIES)


def test_looking_up_by_synset_is_part_of_the_hash_only_where_it_is_done() -> None:
    split = get_split("coco2lvis")
    assert replace(split, by_synset=False).hash() != split.hash()
    # Of the first release, before there was a split by synset.
    assert get_split("voc2nonvoc").hash() == "1b083308c026adefda451179ba6c3058e420aaa7412e7c2be4cf4ac66565b632"
