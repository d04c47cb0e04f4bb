"""``data check``: every fault of annotations and images at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from psis_bench.data.checks import check_dataset
from psis_bench.data.dataset_config import DatasetConfig, Subset
from psis_bench.data.image_files import check_pixels, fault_of_image
from psis_bench.data.problems import Collector

HEIGHT, WIDTH = 24, 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    for name in "abc":
        Image.fromarray(noise).save(tmp_path / "images" / f"{name}.jpg", quality=95)
    return tmp_path


def dataset(folder: Path, **changes: Any) -> DatasetConfig:
    content: dict[str, Any] = {
        "images": [
            {"id": place, "file_name": f"{name}.jpg", "height": HEIGHT, "width": WIDTH}
            for place, name in enumerate("abc")
        ],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [0, 0, 5, 5]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (folder / "val.json").write_text(json.dumps({**content, **changes}))
    val = Subset(annotations=folder / "val.json", images=folder / "images")
    return DatasetConfig(name="mine", root=folder, train=None, val=val)


def lines(config: DatasetConfig, **options: Any) -> list[str]:
    found = [str(problem) for problem in check_dataset(config, **options)]
    assert not any("\n" in line for line in found)
    return found


def test_sound_set_has_no_problems(folder: Path) -> None:
    assert lines(dataset(folder)) == []


def test_every_problem_is_told_at_once(folder: Path) -> None:
    config = dataset(
        folder, annotations=[{"id": 1, "image_id": 9, "category_id": 2, "bbox": [0, 0, 0, 5], "segmentation": "x"}]
    )
    images = folder / "images"
    (images / "a.jpg").unlink()
    whole = (images / "b.jpg").read_bytes()
    (images / "b.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (WIDTH, HEIGHT + 1)).save(images / "c.jpg")
    found = lines(config)
    file = folder / "val.json"
    expected = [
        f"{file}: annotations[0].image_id: there is no image 9",
        f"{file}: annotations[0].category_id: there is no category 2",
        f"{file}: annotations[0].bbox: the box [0, 0, 0, 5] has no area",
        f"{file}: images[0].file_name: there is no image {images / 'a.jpg'}",
        f"{file}: images[1]: b.jpg cannot be decoded: image file is truncated",
        f"{file}: images[2]: c.jpg has 40 x 25 pixels, not 40 x 24 as on record",
    ]
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


def test_both_parts_are_checked_also_when_one_cannot_be_read(folder: Path) -> None:
    config = dataset(folder, categories=[])
    train = Subset(annotations=folder / "train.json", images=folder / "train")
    config = DatasetConfig(name="mine", root=folder, train=train, val=config.val)
    found = lines(config)
    assert found[0].startswith(f"{folder / 'train.json'}: no such annotation file")
    assert any(line.startswith(f"{folder / 'val.json'}: categories: is empty") for line in found)


@pytest.mark.parametrize(
    "categories", [[{"id": 2, "name": "dog"}, {"id": 1, "name": "cat"}], [{"id": 1, "name": "dog"}]], ids=str
)
def test_both_parts_have_the_same_categories_in_one_order(folder: Path, categories: list[dict[str, Any]]) -> None:
    dataset(folder, categories=categories, annotations=[])
    (folder / "val.json").rename(folder / "train.json")
    train = Subset(annotations=folder / "train.json", images=folder / "images")
    both = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    config = DatasetConfig(name="mine", root=folder, train=train, val=dataset(folder, categories=both).val)
    assert [line for line in lines(config) if "categories: are not those of the training file" in line]
    config = DatasetConfig(name="mine", root=folder, train=config.val, val=config.val)
    assert lines(config) == []


def test_missing_folder_is_one_problem(folder: Path) -> None:
    config = dataset(folder)
    missing = Subset(annotations=config.val.annotations, images=folder / "nowhere")
    found = lines(DatasetConfig(name="mine", root=folder, train=None, val=missing))
    assert len(found) == 1
    assert f"there is no image folder {folder / 'nowhere'}" in found[0]


def test_list_is_bounded_and_the_rest_counted(folder: Path) -> None:
    found = lines(dataset(folder, annotations=[None] * 120), limit=50)
    assert len(found) == 51
    assert "70 further problems are not shown" in found[-1]


def test_bad_boxes_are_no_problem_when_dropped_but_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = dataset(folder, annotations=[{"id": 1, "image_id": 0, "category_id": 1, "bbox": [0, 0, 0, 5]}])
    assert len(lines(config)) == 1
    dropping = DatasetConfig(name="mine", root=folder, train=None, val=config.val, on_bad_boxes="drop")
    assert lines(dropping) == []
    assert "left out 1 annotations" in capsys.readouterr().err


def test_records_too_broken_to_find_their_image_are_passed_over(folder: Path) -> None:
    images = [None, {"id": 1}, {"id": 2, "file_name": "a\0.jpg", "height": 1, "width": 1}]
    found = lines(dataset(folder, images=images, annotations=[]))
    assert found
    assert all(": images[" in line for line in found)


def test_images_are_not_decoded_without_pixels(folder: Path) -> None:
    (folder / "images" / "a.jpg").write_bytes(b"nothing")
    assert lines(dataset(folder), pixels=False) == []
    assert "a.jpg is not an image, or a broken one" in lines(dataset(folder))[0]


def test_images_in_subfolders_are_found(folder: Path) -> None:
    (folder / "images" / "deep").mkdir()
    (folder / "images" / "a.jpg").rename(folder / "images" / "deep" / "a.jpg")
    records = [{"id": 0, "file_name": "deep/a.jpg", "height": HEIGHT, "width": WIDTH}]
    assert lines(dataset(folder, images=records)) == []
    records[0]["file_name"] = "deeper/a.jpg"
    assert "there is no image" in lines(dataset(folder, images=records))[0]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_size_is_that_of_the_upright_image(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (WIDTH, HEIGHT)).save(path, exif=exif)
    cv2 = pytest.importorskip("cv2")
    height, width = cv2.imread(str(path)).shape[:2]
    assert fault_of_image((str(path), height, width)) is None
    fault = fault_of_image((str(path), width, height))
    assert fault is not None
    assert ("EXIF" in fault[0]) == (orientation >= 5)


@pytest.mark.parametrize("extension", ["png", "webp", "bmp", "jpg"])
def test_other_formats_whole_and_cut_off(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH), np.uint8)
    Image.fromarray(noise).save(path)
    assert fault_of_image((str(path), HEIGHT, WIDTH)) is None
    path.write_bytes(path.read_bytes()[:400])
    assert fault_of_image((str(path), HEIGHT, WIDTH)) is not None


def test_many_images_are_decoded_by_several_processes_in_order(folder: Path) -> None:
    records = [{"file_name": f"{'ab'[place % 2]}.jpg", "height": HEIGHT, "width": WIDTH} for place in range(300)]
    (folder / "images" / "b.jpg").write_bytes(b"nothing")
    collector = Collector(limit=200)
    report = collector.report_for("f")
    check_pixels(records, folder / "images", skip={1}, report=report, title="check", workers=2)
    places = [problem.where for problem in collector.problems()]
    assert places == [f"f: images[{place}]" for place in range(3, 300, 2)]


def test_an_lvis_file_to_score_on_may_have_other_categories_than_the_training_file(folder: Path) -> None:
    dataset(folder, categories=[{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}])
    train = Subset(annotations=(folder / "val.json").rename(folder / "train.json"), images=folder / "images")
    names = zip("abc", range(3), strict=True)
    size = {"height": HEIGHT, "width": WIDTH, "neg_category_ids": [], "not_exhaustive_category_ids": []}
    images = [{"id": place, "coco_url": f"http://x.org/images/{name}.jpg", **size} for name, place in names]
    lvis = [{"id": 1, "name": "house_cat", "synset": "cat.n.01", "frequency": "f"}]
    val = dataset(folder, images=images, categories=lvis).val
    val = Subset(annotations=val.annotations, images=folder)  # their names have the folder in them
    assert lines(DatasetConfig(name="mine", root=folder, train=train, val=val)) == []
