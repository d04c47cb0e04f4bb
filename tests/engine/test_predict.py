"""Prediction: parts that can be redone one by one, the frame of boxes, and labels that are mapped by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from pycocotools import mask as coco_mask
from tiny_data import TinyData

from psis_bench.config import resolve_config
from psis_bench.engine import predict as prediction
from psis_bench.engine.checkpoints import load_weights, save_weights, weights_sha256
from psis_bench.engine.predict import labels_to_categories, predict
from psis_bench.errors import UserError
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_run
from psis_bench.run import RunDirectory
from psis_bench.scoring.inputs.records import read_parts
from psis_bench.scoring.masks.box_jitter import jittered_boxes, strength_of

FREE, MARC = "detection_free/small", "deep_marc/small"
KINDS = ("gt_box_masks", "detections")


def untrained(tiny: TinyData, model: str, *more: str) -> RunDirectory:
    """Return a run directory with random weights for the classes of the training file."""
    few = ("mm.test_images_per_part=2", "mask_head=resnet4", *more)
    run = RunDirectory.of(resolve_config(tiny.arguments(model, *few, out=model)))
    classes = [category["name"] for category in tiny.train["categories"]]
    torch.manual_seed(0)
    config = compose_run(run.config, classes=classes)
    network = MODELS.build(config.model)
    network.init_weights()
    if network.has_detector:  # decided scores, so that there are detections of several classes
        torch.nn.init.normal_(network.roi_head.bbox_head.fc_cls.weight, std=0.5)
    save_weights(run.final_weights, network.state_dict(), classes=classes)
    return run


def part_bytes(run: RunDirectory) -> dict[str, bytes]:
    return {str(path.relative_to(run.predictions)): path.read_bytes() for path in run.predictions.rglob("*.parquet")}


def rows_of(run: RunDirectory, kind: Any) -> list[dict[str, Any]]:
    return [row for part in read_parts(run.predictions / kind, kind=kind) for row in part.table.to_pylist()]


@pytest.mark.parametrize("model", [FREE, MARC])
def test_parts_and_what_is_in_them(tiny: TinyData, model: str) -> None:
    run = untrained(tiny, model)
    predict(run)
    kinds = KINDS if model == MARC else KINDS[:1]
    assert set(part_bytes(run)) == {f"{kind}/part-{part:05d}.parquet" for kind in kinds for part in (0, 1)}
    manifest = json.loads(run.manifest.read_text())
    assert manifest == {
        "schema": 1,
        "complete": True,
        "images": 4,
        "parts": 2,
        "detection_free": model == FREE,
        "checkpoint_sha256": weights_sha256(load_weights(run.final_weights).tensors),
        "annotations_sha256": manifest["annotations_sha256"],
    }
    expected = [annotation for annotation in tiny.val["annotations"] if not annotation["iscrowd"]]
    found = rows_of(run, "gt_box_masks")
    assert [(row["image_id"], row["annotation_id"], row["category_id"]) for row in found] == [
        (annotation["image_id"], annotation["id"], annotation["category_id"]) for annotation in expected
    ]
    sizes = {image["id"]: (image["height"], image["width"]) for image in tiny.val["images"]}
    for row, annotation in zip(found, expected, strict=True):
        assert (row["height"], row["width"]) == sizes[row["image_id"]]
        mask = coco_mask.decode({"size": list(sizes[row["image_id"]]), "counts": row["mask"]})
        x, y, w, h = annotation["bbox"]
        mask[int(y) : int(y + h), int(x) : int(x + w)] = 0
        assert not mask.any()  # nothing outside the box


@pytest.mark.parametrize("model", [FREE, MARC])
def test_parts_that_are_missing_are_made_again_byte_for_byte(
    tiny: TinyData, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = untrained(tiny, model)
    predict(run)
    whole = part_bytes(run)
    written: list[str] = []
    write = prediction.write_part
    monkeypatch.setattr(
        prediction,
        "write_part",
        lambda folder, index, rows, *, kind: written.append(f"{kind}/{index}") or write(folder, index, rows, kind=kind),
    )
    predict(run)
    assert written == []  # all there
    assert part_bytes(run) == whole
    (run.gt_box_masks / "part-00001.parquet").unlink()
    run.manifest.unlink()
    (run.gt_box_masks / ".part-00001.parquet.abc.partial").write_bytes(b"left over")
    predict(run)
    assert written == [f"{kind}/1" for kind in (KINDS if model == MARC else KINDS[:1])]
    assert part_bytes(run) == whole
    assert run.manifest.is_file()


def test_loading_processes_change_nothing(tiny: TinyData) -> None:
    run = untrained(tiny, FREE)
    predict(run)
    whole = part_bytes(run)
    other = untrained(tiny, FREE, "workers=2", f"out={tiny.folder / 'two'}")
    predict(other)
    assert part_bytes(other) == whole


def test_an_interrupted_prediction_is_not_complete(tiny: TinyData, monkeypatch: pytest.MonkeyPatch) -> None:
    run = untrained(tiny, FREE)
    predict(run)
    whole = part_bytes(run)
    (run.gt_box_masks / "part-00001.parquet").unlink()
    (tiny.folder / "val" / "4.jpg").rename(tiny.folder / "away.jpg")
    monkeypatch.setattr(prediction, "read_coco", lambda path, **_: _without_looking_for_images(path))
    with pytest.raises(UserError, match=r"4\.jpg: no such image"):
        predict(run)
    assert not run.manifest.exists()
    assert set(part_bytes(run)) == {"gt_box_masks/part-00000.parquet"}
    (tiny.folder / "away.jpg").rename(tiny.folder / "val" / "4.jpg")
    predict(run)
    assert part_bytes(run) == whole


def _without_looking_for_images(path: Path) -> Any:
    from psis_bench.data.coco_format import read_coco

    return read_coco(path)


def test_labels_are_mapped_by_name(tiny: TinyData) -> None:
    """A validation file that numbers and orders the same classes otherwise gives the same detections by name."""
    run = untrained(tiny, MARC)
    predict(run)
    first = by_name(run, tiny)
    assert len({name for name, *_ in first}) > 1
    before = {category["id"]: category["name"] for category in tiny.val["categories"]}
    tiny.val["categories"] = [{"id": 7 + place, "name": name} for place, name in enumerate(sorted(before.values()))]
    after = {category["name"]: category["id"] for category in tiny.val["categories"]}
    for annotation in tiny.val["annotations"]:
        annotation["category_id"] = after[before[annotation["category_id"]]]
    tiny.write()
    other = untrained(tiny, MARC, f"out={tiny.folder / 'other'}")
    predict(other)
    assert by_name(other, tiny) == first
    assert [row["mask"] for row in rows_of(other, "gt_box_masks")] == [
        row["mask"] for row in rows_of(run, "gt_box_masks")
    ]


def by_name(run: RunDirectory, tiny: TinyData) -> list[Any]:
    names = {category["id"]: category["name"] for category in tiny.val["categories"]}
    return [
        (names[row["category_id"]], row["image_id"], row["score"], row["bbox"], row["mask"])
        for row in rows_of(run, "detections")
    ]


def test_classes_of_another_file() -> None:
    categories = [{"id": 3, "name": "kite"}, {"id": 1, "name": "dog"}]
    assert labels_to_categories(("dog", "kite"), categories, where="val.json") == [1, 3]
    with pytest.raises(UserError, match=r"val\.json: there is no category 'cat', which the model detects"):
        labels_to_categories(("dog", "kite", "cat"), categories, where="val.json")
    with pytest.raises(UserError, match=r"val\.json: the model was not trained to detect 'kite'"):
        labels_to_categories(("dog",), categories, where="val.json")


def test_a_model_without_detector_takes_any_classes(tiny: TinyData) -> None:
    run = untrained(tiny, FREE)
    tiny.val["categories"] = [*tiny.val["categories"], {"id": 99, "name": "cup"}]
    tiny.write()
    predict(run)
    assert len(rows_of(run, "gt_box_masks")) == 11


def test_detections_are_in_pixels_of_the_original_image(tiny: TinyData) -> None:
    run = untrained(tiny, MARC)
    predict(run)
    sizes = {image["id"]: (image["height"], image["width"]) for image in tiny.val["images"]}
    rows = rows_of(run, "detections")
    assert rows
    assert max(np.bincount([row["image_id"] for row in rows])) <= 100
    for row in rows:
        x, y, w, h = row["bbox"]
        height, width = sizes[row["image_id"]]
        assert (row["height"], row["width"]) == (height, width)
        assert min(x, y, w, h) >= 0
        assert x + w <= width + 1e-3
        assert y + h <= height + 1e-3
    # Boxes reach over the whole image, not over the part that the network's input size would cover.
    assert max(row["bbox"][0] + row["bbox"][2] for row in rows) > 0.9 * max(width for _, width in sizes.values())


def test_weights_of_another_model(tiny: TinyData) -> None:
    run = untrained(tiny, FREE)
    tensors, classes = load_weights(run.final_weights)
    wrong: list[tuple[dict[str, Any], str]] = [
        (
            {name: value for name, value in tensors.items() if "pixel_head" not in name},
            "4 are missing, 0 have no place",
        ),
        (tensors | {"extra": torch.zeros(1)}, "0 are missing, 1 have no place; the first is 'extra'"),
        (
            tensors | {"mask_branch.logits.weight": torch.zeros(1, 3, 1, 1)},
            "size mismatch for mask_branch.logits.weight",
        ),
    ]
    for changed, told in wrong:
        save_weights(run.final_weights, changed, classes=classes or ())
        with pytest.raises(UserError, match="the weights do not fit the model") as error:
            predict(run)
        assert told in str(error.value)
        assert "give the model= and mask_head= that it was trained with" in str(error.value)


def test_masks_on_moved_boxes_stand_in_folders_of_their_own(tiny: TinyData) -> None:
    run = untrained(tiny, MARC)
    predict(run)
    tight = part_bytes(run)
    moved = untrained(tiny, MARC, "box_jitter=0.3,0.1", f"out={tiny.folder / 'moved'}")
    predict(moved)
    found = part_bytes(moved)
    # What there was without them is the same, byte for byte.
    assert {name: found[name] for name in tight} == tight
    folders = ("jittered_boxes_0.1", "jittered_boxes_0.3")
    assert set(found) - set(tight) == {f"{name}/part-{part:05d}.parquet" for name in folders for part in (0, 1)}
    assert json.loads(moved.manifest.read_text())["box_jitter"] == [0.1, 0.3]
    boxes = {annotation["id"]: annotation["bbox"] for annotation in tiny.val["annotations"]}
    masks = {}
    for name in ("gt_box_masks", *folders):
        rows = [
            row for part in read_parts(moved.predictions / name, kind="gt_box_masks") for row in part.table.to_pylist()
        ]
        masks[name] = [row["mask"] for row in rows]
        for row in rows:
            strength = strength_of(moved.predictions / name)
            box = np.array([boxes[row["annotation_id"]]], float)
            if strength is not None:
                size = np.array([[row["height"], row["width"]]])
                box = jittered_boxes(box, np.array([row["annotation_id"]]), size, strength=strength)
            mask = coco_mask.decode({"size": [row["height"], row["width"]], "counts": row["mask"]})
            x, y, w, h = box[0]
            inside_rows, inside_columns = np.nonzero(mask)
            # Pixels belong to a box by their centres; float32 boxes may take one more.
            assert ((inside_columns + 0.5 > x - 1e-3) & (inside_columns + 0.5 < x + w + 1e-3)).all()
            assert ((inside_rows + 0.5 > y - 1e-3) & (inside_rows + 0.5 < y + h + 1e-3)).all()
    assert masks["gt_box_masks"] != masks[folders[0]] != masks[folders[1]]
    (moved.predictions / folders[1] / "part-00001.parquet").unlink()
    predict(moved)
    assert part_bytes(moved) == found
