"""Pictures of a checked submission, and submissions of which none are drawn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest
from pycocotools import mask as coco_mask
from tiny_data import TinyData

from psis_bench.cli import main
from psis_bench.leaderboard.pictures import Pictures, pictures_of
from psis_bench.leaderboard.rows import Row
from psis_bench.leaderboard.site import read_zoo
from psis_bench.scoring.inputs.records import write_part

ABOUT = {
    "model": "painter",
    "title": "Painter",
    "backbone": "none",
    "pretraining": "none",
    "mask_sources": ["the seen classes"],
    "seed": 0,
    "hardware": "one CPU core",
    "software": "other 1.0",
    "authors": ["A. Author"],
    "licence": "CC0-1.0",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny images, masks that are the ground truth itself, and their submission in a model zoo."""
    folder = tmp_path_factory.mktemp("pictures")
    data = TinyData(folder / "data", images=24)
    masks = folder / "found" / "gt_box_masks"
    write_part(masks, 0, [_record(data, annotation) for annotation in data.val["annotations"]], kind="gt_box_masks")
    (folder / "about.yaml").write_text(json.dumps(ABOUT), encoding="utf-8")
    settings = [f"split={data.folder / 'split.yaml'}", f"data={data.folder / 'data.yaml'}"]
    assert (
        main(["bundle", str(folder / "found"), *settings, f"about={folder / 'about.yaml'}", f"out={folder / 'out'}"])
        == 0
    )
    (folder / "model_zoo" / "submissions").mkdir(parents=True)
    place = folder / "out" / "tiny@1" / "painter"
    assert main(["add", str(place), settings[1], f"zoo={folder / 'model_zoo'}"]) == 0
    return folder


def _record(data: TinyData, annotation: dict[str, object]) -> dict[str, object]:
    image = next(image for image in data.val["images"] if image["id"] == annotation["image_id"])
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, list):
        segmentation = coco_mask.merge(coco_mask.frPyObjects(segmentation, image["height"], image["width"]))
        segmentation["counts"] = segmentation["counts"].decode()
    assert isinstance(segmentation, dict)
    return {
        "image_id": annotation["image_id"],
        "category_id": annotation["category_id"],
        "annotation_id": annotation["id"],
        "bbox": annotation["bbox"],
        "height": image["height"],
        "width": image["width"],
        "mask": segmentation["counts"],
    }


def only_row(zoo: Path) -> Row:
    (row,) = read_zoo(zoo).rows
    return row


@pytest.fixture
def source(world: Path) -> Pictures:
    return pictures_of(str(world / "data" / "data.yaml"), None)


def test_the_page_shows_masks_of_unseen_classes(world: Path, tmp_path: Path):
    arguments = [f"zoo={world / 'model_zoo'}", f"out={tmp_path}", f"pictures={world / 'data' / 'data.yaml'}"]
    assert main(["leaderboard", "build", *arguments]) == 0
    row = only_row(world / "model_zoo")
    text = (tmp_path / row.page).read_text("utf-8")
    files = sorted((tmp_path / row.pictures).iterdir())
    assert files
    for file in files:
        assert f'src="{row.name}/{file.name}"' in text
        assert cv2.imread(str(file)).shape == (240, 484, 3)
    assert "zebra: ground truth at the left" in text or "kite: ground truth at the left" in text
    assert "person: ground truth" not in text
    # The next build is without pictures, and they go.
    assert main(["leaderboard", "build", *arguments[:2]]) == 0
    assert not (tmp_path / row.pictures).exists()


def test_nothing_is_drawn_of_what_nobody_has_checked(world: Path, source: Pictures, tmp_path: Path):
    copy = tmp_path / "model_zoo"
    shutil.copytree(world / "model_zoo", copy)
    next(copy.rglob("verification.json")).unlink()
    assert only_row(copy).tier == "reported"
    assert source.draw(only_row(copy), tmp_path / "site") == ()


@pytest.mark.parametrize("change", ["content", "another part", "link", "gone"])
def test_predictions_that_have_changed_since_the_check_are_not_opened(
    world: Path, source: Pictures, tmp_path: Path, change: str
):
    copy = tmp_path / "model_zoo"
    shutil.copytree(world / "model_zoo", copy)
    part = next(copy.rglob("gt_box_masks/part-00000.parquet"))
    if change == "content":
        part.write_bytes(part.read_bytes() + b"x")
    elif change == "another part":
        shutil.copy(part, part.with_name("part-00001.parquet"))
    else:
        part.rename(tmp_path / "part.parquet")
        if change == "link":
            part.symlink_to(tmp_path / "part.parquet")
    row = only_row(copy)
    assert row.tier == "recomputed"
    assert source.draw(row, tmp_path / "site") == ()
    assert not (tmp_path / "site").exists()


def test_other_data_has_no_pictures(world: Path, tmp_path: Path):
    other = pictures_of(str(TinyData(tmp_path / "other", seed=5).folder / "data.yaml"), None)
    assert other.draw(only_row(world / "model_zoo"), tmp_path / "site") == ()


def test_data_that_is_not_there_is_told(world: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    asked = [f"zoo={world / 'model_zoo'}", f"out={tmp_path / 'site'}", "pictures=coco", f"data.root={tmp_path}"]
    assert main(["leaderboard", "build", *asked]) == 2
    assert (
        "instances_val2017.json: no such file; give data.root=FOLDER, or leave pictures= out" in capsys.readouterr().err
    )
