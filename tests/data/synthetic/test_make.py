from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from psis_bench.data.dataset_config import read_dataset
from psis_bench.data.synthetic import SceneParameters, SyntheticParameters, ensure_synthetic, make_synthetic
from psis_bench.errors import UserError
from psis_bench.splits.categories import COCO_CATEGORIES

IMAGES, VAL_IMAGES = 18, 5


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_synthetic(
        tmp_path_factory.mktemp("made") / "set", images=IMAGES, val_images=VAL_IMAGES, seed=7, workers=1
    )


def test_bytes_do_not_depend_on_the_number_of_workers(made, tmp_path):
    parallel = make_synthetic(tmp_path / "set", images=IMAGES, val_images=VAL_IMAGES, seed=7, workers=2)

    assert contents(parallel) == contents(made)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"], "nothing is left beside it"


def test_images_do_not_depend_on_how_many_there_are(made, tmp_path):
    small = contents(make_synthetic(tmp_path / "set", images=2, val_images=1, seed=7, workers=1))
    large = contents(made)

    names = [name for name in small if name.endswith(".jpg")]
    assert len(names) == 3
    assert all(small[name] == large[name] for name in names)


def test_another_seed_gives_other_images(made, tmp_path):
    other = contents(make_synthetic(tmp_path / "set", images=2, val_images=1, seed=8, workers=1))
    large = contents(made)

    assert all(other[name] != large[name] for name in other)


@pytest.mark.parametrize(("subset", "count"), [("train", IMAGES), ("val", VAL_IMAGES)])
def test_files_are_valid_coco(made, subset, count):
    path = made / "annotations" / f"instances_{subset}.json"
    content = json.loads(path.read_text())
    coco = COCO(str(path))

    assert len(coco.imgs) == len(content["images"]) == count
    assert {entry["id"]: entry["name"] for entry in content["categories"]} == dict(COCO_CATEGORIES)
    assert len({entry["id"] for entry in content["annotations"]}) == len(content["annotations"])
    assert content["info"]["description"]
    assert content["licenses"]
    for image in content["images"]:
        with Image.open(made / subset / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])
            picture.load()


def test_areas_and_boxes_are_those_of_the_masks(made):
    content = json.loads((made / "annotations" / "instances_train.json").read_text())
    sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    covered = {key: np.zeros(size, int) for key, size in sizes.items()}
    assert len(content["annotations"]) > 3 * IMAGES

    for annotation in content["annotations"]:
        mask = coco_mask.decode(annotation["segmentation"])
        assert mask.shape == sizes[annotation["image_id"]]
        assert annotation["area"] == mask.sum() >= 30
        assert annotation["iscrowd"] == 0
        rows, columns = np.nonzero(mask)
        left, top, width, height = annotation["bbox"]
        assert (left, top) == (columns.min(), rows.min())
        assert (left + width - 1, top + height - 1) == (columns.max(), rows.max())
        covered[annotation["image_id"]] += mask
    assert all(count.max() <= 1 for count in covered.values()), "visible masks do not overlap"


def test_the_folder_is_a_data_set_of_its_own(made):
    config = read_dataset(made / "dataset.yaml")

    assert config.root == made
    assert config.train is not None
    assert config.train.annotations.is_file()
    assert config.val.images.is_dir()
    assert ensure_synthetic(config) is config


def test_a_finished_set_is_kept_and_anything_else_is_refused(made):
    before = (made / "dataset.yaml").stat().st_mtime_ns
    again = make_synthetic(made, images=IMAGES, val_images=VAL_IMAGES, seed=7)

    assert again == made
    assert (made / "dataset.yaml").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="something else already"):
        make_synthetic(made, images=IMAGES, val_images=VAL_IMAGES, seed=8)
    with pytest.raises(UserError, match="something else already"):
        make_synthetic(made / "dataset.yaml", images=1, val_images=1)


def test_an_empty_folder_may_be_used_and_an_unwritable_place_is_told(tmp_path):
    assert (make_synthetic(tmp_path, images=1, val_images=1, workers=1) / "dataset.yaml").is_file()
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UserError, match="cannot write"):
        make_synthetic(blocked / "set", images=1, val_images=1)


def test_ensure_makes_what_is_missing(tmp_path):
    parameters = SyntheticParameters(images=2, val_images=1, size=64, scene=SceneParameters(clutter=3))
    text = {
        "name": "mine",
        "train": {"annotations": "annotations/instances_train.json", "images": "train"},
        "val": {"annotations": "annotations/instances_val.json", "images": "val"},
        "synthetic": parameters.as_dict(),
    }
    (tmp_path / "mine.yaml").write_text(json.dumps(text))
    config = read_dataset(tmp_path / "mine.yaml", root=str(tmp_path / "made"))

    assert ensure_synthetic(config) is config
    assert len(json.loads(config.val.annotations.read_text())["images"]) == 1


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("psis_bench.data.synthetic.make.draw_images", fail)
    with pytest.raises(UserError, match="No space left on device; free some disk space"):
        make_synthetic(tmp_path / "set", images=3, val_images=1, workers=1)
    assert list(tmp_path.iterdir()) == []
