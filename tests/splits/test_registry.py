"""Registered splits: the groups cover COCO exactly, names are found, random splits never change."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from psis_bench.errors import UserError
from psis_bench.splits import get_split, list_splits
from psis_bench.splits.categories import COCO_CATEGORIES, COCO_NAMES, NON_VOC_NAMES, VOC_NAMES

# The id lists of the Deep-MAC configs (allowed_masked_classes_ids) and of the earlier work, as literals.
VOC_IDS = {1, 2, 3, 4, 5, 6, 7, 9, 16, 17, 18, 19, 20, 21, 44, 62, 63, 64, 67, 72}
SKIPPED_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
CATEGORIES = [{"id": identity, "name": name} for identity, name in COCO_CATEGORIES.items()]


def test_table_has_the_official_ids_and_voc_names() -> None:
    assert set(COCO_CATEGORIES) == set(range(1, 91)) - SKIPPED_IDS
    assert len(set(COCO_NAMES)) == 80
    assert {identity for identity, name in COCO_CATEGORIES.items() if name in VOC_NAMES} == VOC_IDS
    assert len(VOC_NAMES) == len(set(VOC_NAMES)) == 20


def test_table_equals_the_published_id_lists(shared_data: Path) -> None:
    published = json.loads((shared_data / "annotations" / "coco_voc_nonvoc_category_ids.json").read_text())
    assert [identity for identity, name in COCO_CATEGORIES.items() if name in VOC_NAMES] == published["voc"]
    assert [identity for identity, name in COCO_CATEGORIES.items() if name in NON_VOC_NAMES] == published["nonvoc"]


def test_table_equals_the_categories_of_coco(shared_data: Path) -> None:
    content = json.loads((shared_data / "coco_mini" / "annotations" / "instances_val.json").read_text())
    assert {category["id"]: category["name"] for category in content["categories"]} == COCO_CATEGORIES


@pytest.mark.parametrize(("name", "seen", "unseen"), [("voc2nonvoc", 20, 60), ("nonvoc2voc", 60, 20)])
def test_the_two_main_splits_partition_the_80_ids(name: str, seen: int, unseen: int) -> None:
    resolved = get_split(name).resolve(CATEGORIES)
    assert (len(resolved.seen_ids), len(resolved.unseen_ids)) == (seen, unseen)
    assert resolved.seen_ids | resolved.unseen_ids == set(COCO_CATEGORIES)
    assert not resolved.seen_ids & resolved.unseen_ids
    assert (resolved.seen_ids == VOC_IDS) == (name == "voc2nonvoc")


def test_fully_supervised_has_no_unseen_group() -> None:
    groups = get_split("fully_supervised").resolve(CATEGORIES).groups()
    assert groups == {"all": sorted(COCO_CATEGORIES), "seen": sorted(COCO_CATEGORIES)}


@pytest.mark.parametrize("name", COCO_NAMES)
def test_single_source_of_every_class(name: str) -> None:
    split = get_split(f"single_source/{name}")
    assert split.seen == (name,)
    assert split.unseen == (NON_VOC_NAMES if name in VOC_NAMES else VOC_NAMES)
    assert " " not in split.name
    assert get_split(split.name) is split
    resolved = split.resolve(CATEGORIES)
    others = [identity for identity in COCO_CATEGORIES if resolved.group_of(identity) == "other"]
    assert len(others) == (19 if name in VOC_NAMES else 59)
    assert len(resolved.groups()["all"]) == 80


def test_names_are_unique_and_every_listed_split_is_found_by_its_name() -> None:
    splits = list_splits()
    assert len({split.name for split in splits}) == len(splits) == 84
    assert len({split.hash() for split in splits}) == len(splits)
    assert all(get_split(split.name) is split for split in splits)
    assert all(split.description and split.version >= 1 for split in splits)


def test_random_split_is_the_documented_order() -> None:
    keys = {name: hashlib.sha256(b"7/" + name.encode()).digest() for name in COCO_NAMES}
    assert set(get_split("random/20/7").seen) == set(sorted(keys, key=keys.__getitem__)[:20])


def test_random_splits_never_change() -> None:
    split = get_split("random/5/0")
    assert split.seen == ("tie", "tennis racket", "banana", "toilet", "sink")
    assert split.hash() == "8b92c966b074600a127c0e4faa983f00f6fb24f34b3af0cfee56757ca3d0f07b"


def test_random_splits_partition_and_nest() -> None:
    small, large = get_split("random/20/3"), get_split("random/40/3")
    assert set(small.seen) < set(large.seen)
    assert sorted((*large.seen, *large.unseen)) == sorted(COCO_NAMES)
    assert set(get_split("random/20/4").seen) != set(small.seen)
    assert get_split("random/020/03").name == "random/20/3"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("voc2novoc", "unknown split 'voc2novoc'; did you mean 'voc2nonvoc'"),
        ("VOC2NONVOC", "did you mean 'voc2nonvoc'"),
        ("fully_supervized", "did you mean 'fully_supervised'"),
        ("single_source/botle", "did you mean 'single_source/bottle'"),
        ("single_source/", "unknown split 'single_source/'"),
        ("", "unknown split ''"),
        ("random/20", "write random/<n>/<seed>, e.g. random/20/0"),
        ("random/٢/0", "write random/<n>/<seed>"),
        ("random/20/-1", "write random/<n>/<seed>"),
        ("random/0/0", "choose 1 to 79"),
        ("random/80/0", "split=fully_supervised"),
        ("nowhere.yaml", "nowhere.yaml: no such split file"),
    ],
)
def test_unknown_name_is_one_line_with_the_nearest(name: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        get_split(name)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
