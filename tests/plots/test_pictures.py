"""Figures of pictures: from run folders, folders of masks and annotation files that a test draws for itself."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from tiny_data import IDS, SEEN, TinyData

from psis_bench.cli import main
from psis_bench.config import config_to_yaml, resolve_config
from psis_bench.data.coco_format import read_coco
from psis_bench.figures import style
from psis_bench.figures.picture_grid import Tile, grid_size, plot_picture_grid
from psis_bench.plots.figure1 import LEAST_SIDE, choose, headings, lit, shown
from psis_bench.rle import segmentation_to_rle
from psis_bench.scoring.inputs.records import write_part


@pytest.fixture
def tiny(tmp_path: Path) -> TinyData:
    """Eight training and four validation images."""
    return TinyData(tmp_path / "tiny")


def scored(tiny: TinyData, name: str, *, iou: float) -> Path:
    """Make a run whose masks on ground-truth boxes are the annotations."""
    folder = tiny.folder / name
    folder.mkdir()
    keys = tiny.arguments("detection_free/small", out=name)
    (folder / "config.yaml").write_text(config_to_yaml(resolve_config(keys)))
    coco = read_coco(tiny.folder / "val.json")
    sizes = {image["id"]: (image["height"], image["width"]) for image in coco.images}
    rows, table = [], []
    for annotation in coco.annotations:
        if annotation["iscrowd"]:
            continue
        height, width = sizes[annotation["image_id"]]
        place = {key: annotation[key] for key in ("image_id", "category_id")}
        place["annotation_id"] = annotation["id"]
        code = segmentation_to_rle(annotation["segmentation"], height, width)["counts"]
        text = code if isinstance(code, str) else code.decode()
        rows.append({**place, "height": height, "width": width, "mask": text})
        table.append({**place, "iou": iou + 0.001 * len(table)})
    write_part(folder / "predictions" / "gt_box_masks", 0, rows, kind="gt_box_masks")
    pd.DataFrame(table).to_parquet(folder / "per_instance.parquet")
    with (folder / "per_class.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["category_id", "name", "group"])
        writer.writerows([[number, name, "seen" if name in SEEN else "unseen"] for name, number in IDS.items()])
    content = {"dataset": {"annotations_sha256": coco.sha256}, "groups": {}}
    (folder / "scores.json").write_text(json.dumps(content))
    return folder


def test_figure_1_shows_the_same_objects_of_each_run(
    tiny: TinyData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psis_bench.plots.figure1.LEAST_SIDE", 4)
    runs = [scored(tiny, "one", iou=0.5), scored(tiny, "two", iou=0.7)]
    (runs[1] / "probe.json").write_text("{}")
    assert main(["plot", "figure1", *map(str, runs), f"out={tmp_path}/o", "rows=2", "format=svg"]) == 0
    table = pd.read_csv(tmp_path / "o" / "figure1.csv")
    assert table["difference"].tolist() == pytest.approx([0.2, 0.2])
    assert not set(table["name"]) & set(SEEN)
    picture = (tmp_path / "o" / "figure1.svg").read_text()
    for text in (
        "ground truth",
        "hourglass20",
        "hourglass20 (probe)",
        *(f"IoU {100 * iou:.1f}" for iou in table["iou_1"]),
    ):
        assert f">{text}</text>" in picture
    assert picture.count("<image ") == 2 * 3, "pictures are kept apart"


def test_columns_are_named_by_what_tells_the_runs_apart(tiny: TinyData) -> None:
    first, same, longer = (scored(tiny, name, iou=0.5) for name in ("one", "two", "three"))
    config = (longer / "config.yaml").read_text()
    (longer / "config.yaml").write_text(config.replace("iterations: 4", "iterations: 5"))
    names = headings([shown(first), shown(longer)])
    assert names == ["4 iterations", "5 iterations"]
    assert headings([shown(first), shown(same)]) == ["one", "two"]
    assert headings([shown(first)]) == ["hourglass20"]


def test_a_mask_is_told_from_the_ground_without_colours() -> None:
    picture = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (6, 256, 3))
    mask = np.zeros((6, 256), np.uint8)
    mask[:3] = 1
    grey = cv2.cvtColor(lit(picture, mask), cv2.COLOR_RGB2GRAY)
    # The second and third rows from the edge: on it is a line.
    assert grey[1].min() > grey[4].max()


def test_figure_1_refuses_a_run_of_other_pictures(
    tiny: TinyData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = scored(tiny, "one", iou=0.5)
    tiny.val["images"][0]["license"] = 1
    tiny.write()
    assert main(["plot", "figure1", str(folder), f"out={tmp_path}/o"]) == 2
    assert "was scored with other annotations than" in capsys.readouterr().err


def test_objects_are_at_even_steps_of_the_difference() -> None:
    count = 100
    base = pd.DataFrame(
        {"annotation_id": range(count), "name": "cat", "group": "unseen", "box_area": float(LEAST_SIDE**2)}
    )
    base.loc[0, "box_area"] -= 1
    first, second = base.assign(iou=0.0), base.assign(iou=np.arange(count) / count)
    table = choose([first, second], group="unseen", count=3)
    # Of the 99 that are large enough, the largest difference first: places 16, 49 and 82.
    assert table["annotation_id"].tolist() == [99 - 16, 99 - 49, 99 - 82]
    assert len(choose([first.head(3)], group="unseen", count=5)) == 2


def test_figure_6_shows_every_image_that_was_segmented(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    images = [{"id": n, "file_name": f"/x/{n}.jpg", "overlay_file": f"{n}-overlay.jpg"} for n in (1, 2)]
    for image in images:
        cv2.imwrite(str(masks / image["overlay_file"]), np.full((40, 60, 3), 90, np.uint8))
    annotations = [{"image_id": 1}, {"image_id": 1}, {"image_id": 2}]
    (masks / "masks.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    assert main(["plot", "figure6", str(masks), f"out={tmp_path}/o", "format=svg"]) == 0
    picture = (tmp_path / "o" / "figure6.svg").read_text()
    assert ">1: 2 boxes</text>" in picture
    assert ">2: 1 box</text>" in picture
    (masks / "2-overlay.jpg").unlink()
    assert main(["plot", "figure6", str(masks), f"out={tmp_path}/o"]) == 2
    assert main(["plot", "figure6", str(tmp_path), f"out={tmp_path}/o"]) == 2
    assert "no masks are there" in capsys.readouterr().err


def test_figure_7_has_facts_of_every_mask_and_the_head_room(
    tiny: TinyData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, other = f"data={tiny.folder / 'data.yaml'}", f"other={tiny.folder / 'val.json'}"
    arguments = ["plot", "figure7", data, other, "least=4", "classes=dog,kite", f"out={tmp_path}/o", "format=svg"]
    assert main(arguments) == 0
    whole = [annotation for annotation in tiny.val["annotations"] if not annotation["iscrowd"]]
    assert len(pd.read_csv(tmp_path / "o" / "figure7.csv")) == len(whole)
    same = pd.read_csv(tmp_path / "o" / "figure7_mutual_iou.csv")
    assert len(same) == len(whole)
    assert (same["mask_iou"] == 1.0).all(), "a file agrees with itself"
    assert "100.0 (mean of 4 classes)" in capsys.readouterr().out
    assert ">crude → careful</text>" in (tmp_path / "o" / "figure7.svg").read_text()
    larger = tmp_path / "larger.json"
    images = [{**image, "width": 2 * image["width"]} for image in tiny.val["images"]]
    larger.write_text(json.dumps({**tiny.val, "images": images}))
    assert main([*arguments, f"other={larger}"]) == 2
    assert f"larger.json: image {images[0]['id']} is " in capsys.readouterr().err
    assert main([*arguments[:3], "classes=cow"]) == 2
    assert "there is no class 'cow'" in capsys.readouterr().err
    assert main([*arguments[:3], "classes=dog", "least=500"]) == 2
    assert "no mask of dog has 500 x 500 pixels; give least=250 or less" in capsys.readouterr().err
    assert main(["plot", "figure7", str(tmp_path)]) == 2
    assert "figure7 is drawn from a data set, not from runs" in capsys.readouterr().err


def test_pictures_keep_their_proportions() -> None:
    rows = [[Tile(np.zeros((10, 20, 3), np.uint8), "wide"), Tile(np.zeros((30, 10, 3), np.uint8), "a$b$")]]
    ax = plot_picture_grid(style.new_axes(*grid_size(1, 2)), rows, columns=["one", "two"], names=["first"])
    extents = [image.get_extent() for image in ax.images]
    ratios = [abs(x1 - x0) / abs(y1 - y0) for x0, x1, y0, y1 in extents]
    assert ratios == pytest.approx([2.0, 1 / 3])
    assert {text.get_text() for text in ax.texts} == {"wide", "a$b$", "one", "two", "first"}
    assert not any(text.get_parse_math() for text in ax.texts)
