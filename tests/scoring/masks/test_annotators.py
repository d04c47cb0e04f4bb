"""The agreement of annotators, on hand-made files and on real ones against plain loops with pycocotools."""

from __future__ import annotations

import copy
import csv
import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as coco_mask

from psis_bench.cli import main
from psis_bench.errors import UserError
from psis_bench.rle import segmentation_to_rle
from psis_bench.scoring import Scores, as_csv, as_markdown, score_predictions
from psis_bench.scoring.inputs.records import write_part
from psis_bench.splits import SplitProtocol
from psis_bench.splits.synsets import COCO_SYNSETS

HEIGHT, WIDTH = 40, 60
SPLIT = SplitProtocol(name="pets", version=1, seen=("cat",), unseen=("dog", "yeti"), description="")
# Image, class, x, y, width, height: on each image two cats, a dog and a yeti.
OBJECTS = [
    (image, category, x, y, 10, 10)
    for image in (1, 2)
    for category, x, y in ((1, 0, 0), (1, 30, 0), (2, 0, 20), (3, 30, 20))
]


def rectangle(x: int, y: int, width: int, height: int) -> dict[str, Any]:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    pixels[y : y + height, x : x + width] = 1
    return {"size": [HEIGHT, WIDTH], "counts": coco_mask.encode(pixels)["counts"].decode()}


def content(objects, categories, *, shares=None) -> dict[str, Any]:
    """An annotation file of rectangles; of object i only ``shares[i]`` tenths of the columns are in the mask."""
    shares = shares or [10] * len(objects)
    return {
        "images": [{"id": image, "file_name": f"{image}.jpg", "height": HEIGHT, "width": WIDTH} for image in (1, 2)],
        "categories": copy.deepcopy(categories),
        "annotations": [
            {"id": place, "image_id": image, "category_id": category, "bbox": [x, y, width, height],
             "segmentation": rectangle(x, y, width * share // 10, height)}
            for place, (image, category, x, y, width, height) in enumerate(objects, 1)
            for share in shares[place - 1 : place]
        ],
    }  # fmt: skip


NAMES = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "yeti"}]


@pytest.fixture
def predictions(tmp_path):
    """Masks on boxes that have half of the columns of the first image's objects, all of the second's."""
    rows = [
        {"image_id": image, "annotation_id": place, "category_id": category, "height": HEIGHT, "width": WIDTH,
         "mask": rectangle(x, y, width // (2 if image == 1 else 1), height)["counts"]}
        for place, (image, category, x, y, width, height) in enumerate(OBJECTS, 1)
    ]  # fmt: skip
    write_part(tmp_path / "found" / "gt_box_masks", 0, rows, kind="gt_box_masks")
    return tmp_path / "found"


def test_annotators_stand_beside_the_model_on_the_same_objects(predictions, tmp_path) -> None:
    # The other file has the objects of the first image alone: cats with 9 and 7 tenths, a dog with 8, no yeti.
    other = content(OBJECTS[:3], NAMES, shares=[9, 7, 8])
    truth = content(OBJECTS, NAMES)
    options = {"annotations": truth, "split": SPLIT}
    scores = score_predictions(predictions, other=other, out=tmp_path / "out", **options)
    seen, unseen, both = (scores.groups[name].annotators for name in ("seen", "unseen", "all"))
    assert (seen.objects, seen.classes, unseen.objects, both.objects, both.classes) == (2, 1, 1, 3, 2)
    assert (seen.agreement.class_mean, unseen.agreement.class_mean) == (pytest.approx(0.8), 0.8)
    assert both.agreement.instance_mean == pytest.approx(0.8)
    # On those objects the model has 0.5; on all it has 0.75.
    assert seen.gt_box_miou.class_mean == unseen.gt_box_miou.instance_mean == 0.5
    assert scores.groups["seen"].gt_box_miou.class_mean == 0.75
    assert "annotators: 3 of 8 objects are in other too, and compared with it" in scores.notes
    assert scores.of_class("yeti").annotators.objects == 0
    assert scores.of_class("yeti").annotators.agreement.class_mean is None

    written = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert Scores.from_dict(written) == scores
    markdown = as_markdown(scores)
    assert "| annotators, class mean | 80.0 | 80.0 | 80.0 |" in markdown
    assert "| GT-box mIoU of the same objects, class mean | 50.0 | 50.0 | 50.0 |" in markdown
    assert "| objects with two annotations | 2 | 1 | 3 |" in markdown
    rows = {row["score"]: row for row in csv.DictReader(as_csv(scores).splitlines())}
    assert rows["annotators.objects"]["unseen"] == "1"
    assert rows["annotators.gt_box_miou.class_mean"]["seen"] == "0.5"
    classes = list(csv.DictReader((tmp_path / "out" / "per_class.csv").read_text().splitlines()))
    assert [row["annotators_miou"] for row in classes] == [repr(seen.agreement.class_mean), "0.8", ""]
    column = pq.read_table(tmp_path / "out" / "per_instance.parquet").column("annotators_iou").to_numpy()
    assert column[:3].tolist() == [0.9, 0.7, 0.8]
    assert np.isnan(column[3:]).all()
    plain = score_predictions(predictions, **options)
    assert plain.groups["all"].annotators is None
    assert "annotators" not in json.dumps(plain.to_dict())


def test_without_masks_on_boxes_the_annotators_stand_alone() -> None:
    other = content(OBJECTS, NAMES, shares=[9] * 8)
    results = [
        {"image_id": 1, "category_id": 1, "score": 0.5, "bbox": [0, 0, 10, 10], "segmentation": rectangle(0, 0, 9, 10)}
    ]
    scores = score_predictions(results, annotations=content(OBJECTS, NAMES), split=SPLIT, other=other)
    found = scores.groups["all"].annotators
    assert (found.objects, found.gt_box_miou, found.agreement.class_mean) == (8, None, pytest.approx(0.9))
    assert "| annotators, class mean | 90.0 |" in as_markdown(scores)
    assert "same objects" not in as_markdown(scores)


LVIS_NAMES = [
    {"id": 7, "name": "dog_(animal)", "synset": "dog.n.01"},
    {"id": 8, "name": "yeti", "synset": "abominable_snowman.n.01"},
    {"id": 9, "name": "house_cat", "synset": "cat.n.01"},
]


@pytest.mark.parametrize("lvis_is_scored", [False, True])
def test_classes_of_lvis_are_found_by_synset_and_others_by_name(lvis_is_scored) -> None:
    ids = {1: 9, 2: 7, 3: 8}
    lvis = content([(image, ids[category], *box) for image, category, *box in OBJECTS], LVIS_NAMES, shares=[9] * 8)
    coco = content(OBJECTS, NAMES)
    truth, other = (lvis, coco) if lvis_is_scored else (coco, lvis)
    names = ["house_cat", "dog_(animal)", "yeti"] if lvis_is_scored else ["cat", "dog", "yeti"]
    split = SplitProtocol(name="all", version=1, seen=tuple(names), unseen=(), description="")
    scores = score_predictions([], annotations=truth, split=split, other=other)
    assert [scores.of_class(name).annotators.objects for name in names] == [4, 2, 2]
    # The same name with another synset is another class.
    for entry in coco["categories"]:
        entry["synset"] = {"cat": "big_cat.n.01", "dog": "dog.n.01", "yeti": "yeti.n.01"}[entry["name"]]
    scores = score_predictions([], annotations=truth, split=split, other=other)
    assert [scores.of_class(name).annotators.objects for name in names] == [0, 2, 0]


def test_images_are_the_same_by_file_name_where_no_id_is(tmp_path) -> None:
    truth, other = content(OBJECTS, NAMES), content(OBJECTS, NAMES, shares=[9] * 4 + [8] * 4)
    for image in other["images"]:
        image["id"] += 100
        image["file_name"] = f"val2017/{image['file_name']}"
    for annotation in other["annotations"]:
        annotation["image_id"] += 100
    for given in (truth, tmp_path / "val.json"):
        (tmp_path / "val.json").write_text(json.dumps(truth))
        scores = score_predictions([], annotations=given, split=SPLIT, other=other)
        assert scores.groups["all"].annotators.objects == 8
        assert scores.groups["all"].annotators.agreement.class_mean == pytest.approx(0.85)


def test_what_does_not_fit_is_told_in_one_line(tmp_path) -> None:
    truth = content(OBJECTS, NAMES)

    def refused(other: dict[str, Any]) -> str:
        with pytest.raises(UserError) as raised:
            score_predictions([], annotations=truth, split=SPLIT, other=other)
        return str(raised.value)

    assert "is what is scored against" in refused(truth)
    other = content(OBJECTS, [{"id": 1, "name": "kitten"}, {"id": 2, "name": "puppy"}, {"id": 3, "name": "troll"}])
    assert "other: has no object of these images and classes" in refused(other)
    other = content(OBJECTS, NAMES, shares=[9] * 8)
    for image in other["images"]:
        image |= {"height": 80, "width": 60}
    other["annotations"] = []
    assert "image 1 is 60 x 80 pixels, in annotations it is 60 x 40" in refused(other)
    other = copy.deepcopy(truth)
    for place, image in enumerate(other["images"], 50):
        image |= {"id": place, "file_name": f"{place}.jpg"}
    other["annotations"] = []
    assert "has none of these images, neither by id nor by file name" in refused(other)
    assert "is not COCO format" in refused({"images": []})


def test_the_command_takes_another_file(predictions, tmp_path, capsys) -> None:
    (tmp_path / "val.json").write_text(json.dumps(content(OBJECTS, NAMES)))
    (tmp_path / "other.json").write_text(json.dumps(content(OBJECTS, NAMES, shares=[6] * 8)))
    (tmp_path / "split.yaml").write_text("name: pets\nversion: 1\nseen: [cat]\nunseen: rest\n")
    given = [str(predictions), f"split={tmp_path / 'split.yaml'}", f"data={tmp_path / 'val.json'}"]
    assert main(["score", *given, f"other={tmp_path / 'other.json'}", "--markdown"]) == 0
    assert "| annotators, class mean | 60.0 | 60.0 | 60.0 |" in capsys.readouterr().out
    assert main(["score", *given, f"other={tmp_path / 'nothing.json'}"]) == 2
    assert "nothing.json: no such" in capsys.readouterr().err


def test_coco_against_lvis_on_real_images_equals_a_loop(shared_data, coco_mini) -> None:
    lvis = json.loads((shared_data / "lvis_mini" / "lvis_v0.5_val_mini.json").read_bytes())
    scores = score_predictions([], annotations=coco_mini.path, split="voc2nonvoc", other=lvis)
    synsets = {entry["id"]: entry["synset"] for entry in lvis["categories"]}
    sizes = {image["id"]: (image["height"], image["width"]) for image in coco_mini.truth["images"]}
    names = {entry["id"]: entry["name"] for entry in coco_mini.truth["categories"]}
    by_class: dict[str, list[float]] = {}
    for image, size in sizes.items():
        ours = [a for a in coco_mini.truth["annotations"] if a["image_id"] == image and not a["iscrowd"]]
        theirs = [a for a in lvis["annotations"] if a["image_id"] == image]
        for name in {names[a["category_id"]] for a in ours}:
            first = [a for a in ours if names[a["category_id"]] == name]
            second = [a for a in theirs if synsets[a["category_id"]] == COCO_SYNSETS[name]]
            if not second:
                continue
            boxes = [np.array([a["bbox"] for a in side], float) for side in (first, second)]
            overlaps = np.asarray(coco_mask.iou(*boxes, [0] * len(second)))
            for place, best in enumerate(overlaps.argmax(axis=1)):
                if overlaps[:, best].argmax() == place and overlaps[place, best] >= 0.5:
                    masks = [segmentation_to_rle(a["segmentation"], *size) for a in (first[place], second[best])]
                    by_class.setdefault(name, []).append(float(coco_mask.iou(masks[:1], masks[1:], [0])[0, 0]))
    found = scores.groups["all"].annotators
    assert found.objects == sum(map(len, by_class.values())) >= 5
    assert found.agreement.class_mean == pytest.approx(
        np.mean([np.mean(ious) for ious in by_class.values()]), abs=1e-12
    )
    assert {item.name for item in scores.per_class if item.scores.annotators.objects} == set(by_class)
