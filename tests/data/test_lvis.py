"""What an LVIS file says beyond COCO format is read, and told of where it is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_content import content, write

from psis_bench.data.coco_format import check_coco, read_coco
from psis_bench.data.lvis import read_federation
from psis_bench.data.lvis_images import is_lvis, with_named_images
from psis_bench.errors import UserError


def lvis_content() -> dict[str, Any]:
    value = content()
    for category, frequency in zip(value["categories"], "rcfrcf", strict=False):
        category |= {"frequency": frequency, "synset": f"{category['name']}.n.01"}
    ids = [category["id"] for category in value["categories"]]
    for place, image in enumerate(value["images"]):
        image |= {"neg_category_ids": ids[: place % 2], "not_exhaustive_category_ids": ids[-1:]}
    return value


def test_a_coco_file_has_no_federation() -> None:
    assert read_federation(check_coco(content())) is None


def test_absent_and_not_exhaustive_classes_are_pairs_with_images() -> None:
    value = lvis_content()
    federation = read_federation(check_coco(value))
    for found, key in ((federation.absent, "neg"), (federation.not_exhaustive, "not_exhaustive")):
        expected = [(image["id"], id_) for image in value["images"] for id_ in image[f"{key}_category_ids"]]
        assert [tuple(pair) for pair in found.tolist()] == expected
    kinds = [category["frequency"] for category in value["categories"]]
    names = {"r": "rare", "c": "common", "f": "frequent"}
    assert list(federation.frequencies.values()) == [names[kind] for kind in kinds]
    groups = federation.groups()
    assert list(groups) == ["frequent", "common", "rare"]
    assert sorted(id_ for ids in groups.values() for id_ in ids) == sorted(
        category["id"] for category in value["categories"]
    )


@pytest.mark.parametrize(
    ("part", "key", "value", "told"),
    [
        ("images", "neg_category_ids", None, "annotations: images[0].neg_category_ids: is missing"),
        ("images", "not_exhaustive_category_ids", 3, "images[0].not_exhaustive_category_ids: is not a list"),
        ("images", "neg_category_ids", [10**6], "images[0].neg_category_ids: there is no category 1000000"),
        ("images", "neg_category_ids", ["cat"], "images[0].neg_category_ids: there is no category 'cat'"),
        ("categories", "frequency", None, "categories[0].frequency: is missing; r, c or f is needed"),
        ("categories", "frequency", "often", "categories[0].frequency: is 'often'; r, c or f is needed"),
    ],
)
def test_what_the_rules_need_is_not_guessed(part: str, key: str, value: Any, told: str) -> None:
    given = lvis_content()
    if value is None:
        del given[part][0][key]
    else:
        given[part][0][key] = value
    with pytest.raises(UserError) as error:
        read_federation(check_coco(given))
    assert told in str(error.value)


def test_images_of_v1_are_found_by_their_address_and_those_of_v05_under_their_name_of_2017(tmp_path: Path) -> None:
    value = lvis_content()
    first, second = value["images"][:2]
    del first["file_name"]
    first["coco_url"] = "http://images.cocodataset.org/train2017/000000391895.jpg"
    second |= {"file_name": "COCO_val2014_000000266409.jpg"}
    second["coco_url"] = "http://images.cocodataset.org/val2017/000000266409.jpg"
    images = read_coco(write(tmp_path, value)).images
    assert [image["file_name"] for image in images[:2]] == ["train2017/000000391895.jpg", "val2017/000000266409.jpg"]
    # Other names are the user's own, and a file that is not LVIS's keeps all of its.
    second["file_name"] = "mine.jpg"
    assert with_named_images(value)["images"][1] is second
    plain = content()
    plain["images"][0] |= {"file_name": "COCO_val2014_1.jpg", "coco_url": "http://example.org/val2017/1.jpg"}
    assert with_named_images(plain) is plain


@pytest.mark.parametrize("wrong", [None, [], {}, {"images": None}, {"images": [None, 3, {}]}])
def test_what_is_no_annotation_file_is_left_to_the_rules(wrong: Any) -> None:
    assert with_named_images(wrong) is wrong
    assert not is_lvis([None, 3])


def test_the_images_of_both_real_files_are_known(shared_data: Path) -> None:
    for name in ("lvis_mini/lvis_v0.5_val_mini.json", "annotations/lvis_v0.5_val_100.json"):
        coco = read_coco(shared_data / name)
        federation = read_federation(coco)
        raw = json.loads((shared_data / name).read_bytes())
        assert len(federation.absent) == sum(len(image["neg_category_ids"]) for image in raw["images"])
        assert {len(ids) for ids in federation.groups().values()} == {315, 461, 454}
        assert len(np.unique(federation.absent[:, 0])) > 50
    assert coco.images[0]["file_name"] == "val2017/000000266409.jpg"
