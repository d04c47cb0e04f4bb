"""Data sets by name and by YAML: where their files are looked for, and what a wrong YAML says."""

from __future__ import annotations

from pathlib import Path

import pytest

from psis_bench.data.dataset_config import get_dataset, list_datasets
from psis_bench.errors import UserError

GOOD = """\
name: mine
root: data
description: Ours.
train:
  annotations: train.json
  images: train
val:
  annotations: val.json
  images: val
"""


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_paths_are_relative_to_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    config = get_dataset("mine.yaml")
    assert config.root == tmp_path / "data"
    assert config.train is not None
    assert config.train.annotations == tmp_path / "data" / "train.json"
    assert config.val.images == tmp_path / "data" / "val"
    assert (config.name, config.description, config.synthetic, config.on_bad_boxes) == ("mine", "Ours.", None, "error")
    assert list(config.parts()) == ["train", "val"]


def test_root_argument_takes_the_place_of_the_yaml_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert get_dataset(write(tmp_path, GOOD), root="else").val.annotations == tmp_path / "else" / "val.json"


def test_absolute_paths_and_evaluation_only(tmp_path: Path) -> None:
    text = "name: mine\non_bad_boxes: drop\nval: {annotations: /a/val.json, images: val}\n"
    config = get_dataset(write(tmp_path, text))
    assert config.train is None
    assert list(config.parts()) == ["val"]
    assert config.val.annotations == Path("/a/val.json")
    assert config.val.images == tmp_path / "val"
    assert config.on_bad_boxes == "drop"


def test_coco_is_found_below_the_variable_or_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSIS_BENCH_DATA", str(tmp_path))
    name = "annotations/instances_val2017.json"
    assert get_dataset("coco").val.annotations == tmp_path / "coco" / name
    (tmp_path / "annotations").mkdir()
    assert get_dataset("coco").val.annotations == tmp_path / name
    (tmp_path / "coco").mkdir()
    assert get_dataset("coco").val.annotations == tmp_path / "coco" / name
    config = get_dataset("coco", root="/elsewhere")
    assert config.val.annotations == Path("/elsewhere") / name
    assert config.train is not None
    assert config.train.images == Path("/elsewhere/train2017")
    assert config.on_bad_boxes == "drop"


def test_coco_without_a_folder_says_how_to_give_one() -> None:
    with pytest.raises(UserError, match=r"give data\.root=FOLDER, or set PSIS_BENCH_DATA .* holds 'coco'"):
        get_dataset("coco")


def test_synthetic_lies_in_the_cache_under_its_parameters(own_cache: Path) -> None:
    config = get_dataset("synthetic")
    assert config.root.parent == own_cache
    assert config.root.name.startswith("synthetic-")
    assert config.synthetic is not None


def test_other_parameters_are_another_folder(tmp_path: Path) -> None:
    text = "name: s\nval: {annotations: a.json, images: val}\nsynthetic: {images: %d}\n"
    first, second = (get_dataset(write(tmp_path, text % images)) for images in (3, 4))
    assert first.root != second.root
    assert get_dataset(write(tmp_path, text % 3)).root == first.root


def test_listing_tells_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {listing.name: listing for listing in list_datasets()}
    assert next(iter(names)) == "synthetic"
    assert not names["coco"].found
    assert "PSIS_BENCH_DATA" in names["coco"].note
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_val2017.json").touch()
    monkeypatch.setenv("PSIS_BENCH_DATA", str(tmp_path))
    coco = next(listing for listing in list_datasets() if listing.name == "coco")
    assert (coco.found, coco.root, coco.note) == (True, tmp_path, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("root:", "roots:"), "unknown key 'roots'; did you mean 'root'"),
        (GOOD.replace("val:\n", "vals:\n"), "unknown key 'vals'; did you mean 'val'"),
        (GOOD.replace("val:\n  annotations: val.json\n  images: val\n", ""), "has no 'val'"),
        (GOOD.replace("  images: val", "  image: val"), "mine.yaml: val: unknown key 'image'; did you mean 'images'"),
        (GOOD.replace("  images: val\n", ""), "mine.yaml: val: has no 'images'"),
        (GOOD.replace("val.json", "5"), "val: annotations: 5 is not text"),
        (GOOD.replace("name: mine", "name: [a]"), "name: ['a'] is not text"),
        (GOOD + "on_bad_boxes: keep\n", "on_bad_boxes: 'keep' is not 'error' or 'drop'"),
        (GOOD + "on_bad_boxes: [drop]\n", "on_bad_boxes: ['drop'] is not"),
        (GOOD + "synthetic: 5\n", "synthetic: 5 is not a mapping"),
        ("name: mine\nval: val.json\n", "val: 'val.json' is not a mapping with annotations and images"),
        ("name: mine\nval: {annotations: a, images: b}\nsynthetic: {imagse: 3}\n", "did you mean 'images'"),
        ("name: [mine\n", "not YAML: "),
    ],
)
def test_wrong_yaml_is_one_line_with_key_and_cure(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        get_dataset(write(tmp_path, text))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("coko", "unknown data set 'coko'; did you mean 'coco'"),
        ("sintetic", "did you mean 'synthetic'"),
        ("nowhere.yaml", "nowhere.yaml: no such data set file"),
    ],
)
def test_unknown_data_set(name: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        get_dataset(name)


def test_a_folder_is_not_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_set").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"my_set: is a folder; give a data set's YAML, as in data=my_set/dataset\.yaml"
    ):
        get_dataset("my_set")
