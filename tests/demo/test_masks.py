"""From crops to masks and files, held to pasting pixel by pixel, to pycocotools, and to the prediction of files."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from psis_bench.demo.examples import EXAMPLES, example
from psis_bench.demo.masks import Masks, checked_threshold, coco_json, ious, layer, numbered_png, overlay_png, whole
from psis_bench.demo.models import DemoModels
from psis_bench.demo.pictures import Picture
from psis_bench.errors import UserError

BOXES: list[dict[str, Any]] = [
    {"xywh": [3.3, 2.0, 20.0, 15.5], "label": "dog"},
    {"xywh": [15.0, 10.0, 20.0, 25.0], "label": None},
]


@pytest.fixture
def masks() -> Masks:
    crops = np.random.default_rng(1).random((2, 6, 6), dtype=np.float32)
    frames = [[x, y, x + w, y + h] for x, y, w, h in (box["xywh"] for box in BOXES)]
    return Masks(crops=crops, frames=np.array(frames, np.float32), grid="cells")


@pytest.fixture
def picture() -> Picture:
    return Picture(name="dog", width=100, height=80, pixels=np.full((40, 50, 3), 90, np.uint8))


def pasted(crop: np.ndarray, box: list[float], height: int, width: int, threshold: float) -> np.ndarray:
    """The rule of pasting, one pixel after the other: bilinear between cell centres, zero outside the crop."""
    size = crop.shape[0]
    padded = np.pad(crop.astype(np.float64), 1)
    mask = np.zeros((height, width), np.uint8)
    x, y, w, h = box
    for row in range(height):
        for column in range(width):
            u, v = (column + 0.5 - x) / w * size + 0.5, (row + 0.5 - y) / h * size + 0.5
            if not (x <= column + 0.5 < x + w and y <= row + 0.5 < y + h):
                continue
            i, j = int(v), int(u)
            a, b = v - i, u - j
            four = padded[i : i + 2, j : j + 2]
            value = (1 - a) * ((1 - b) * four[0, 0] + b * four[0, 1]) + a * ((1 - b) * four[1, 0] + b * four[1, 1])
            mask[row, column] = value > threshold
    return mask


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.8])
def test_masks_are_what_pasting_pixel_by_pixel_gives(masks: Masks, picture: Picture, threshold: float):
    for box, crop, mask in zip(BOXES, masks.crops, whole(masks, picture, threshold=threshold), strict=True):
        assert (mask == pasted(crop, box["xywh"], 40, 50, threshold)).all()
        assert mask.any()


def test_files_are_in_pixels_of_the_original(masks: Masks, picture: Picture):
    content = coco_json(picture, BOXES, masks, threshold=0.5, made_by={"model": "m"})
    (image,) = content["images"]
    assert (image["width"], image["height"]) == (100, 80)
    assert [annotation["bbox"] for annotation in content["annotations"]] == [
        pytest.approx([6.6, 4.0, 40.0, 31.0]),
        pytest.approx([30.0, 20.0, 40.0, 50.0]),
    ]
    assert [category["name"] for category in content["categories"]] == ["dog", "object"]
    values = np.zeros((80, 100), np.uint8)
    for annotation, crop in zip(content["annotations"], masks.crops, strict=True):
        mask = coco_mask.decode(annotation["segmentation"])
        assert (mask == pasted(crop, annotation["bbox"], 80, 100, 0.5)).mean() > 0.999
        assert annotation["area"] == mask.sum() > 0
        values[mask > 0] = annotation["id"]
    with Image.open(io.BytesIO(numbered_png(picture, masks, threshold=0.5))) as stored:
        assert stored.mode == "P"
        assert (np.asarray(stored) == values).all()


def test_the_layer_is_clear_outside_masks(masks: Masks, picture: Picture):
    upload = layer(masks, picture, threshold=0.5)
    assert upload.startswith("data:image/png;base64,")
    import base64

    stored = Image.open(io.BytesIO(base64.b64decode(upload.partition(",")[2])))
    union = np.maximum(*whole(masks, picture, threshold=0.5)) > 0
    assert ((np.asarray(stored)[..., 3] > 0) == union).all()
    drawn = cv2.imdecode(np.frombuffer(overlay_png(picture, BOXES, masks, threshold=0.5), np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == (40, 50, 3)


def test_what_the_browser_keeps_comes_back(masks: Masks):
    again = Masks.of_state(masks.as_state(), count=2)
    assert (again.crops == masks.crops).all()
    assert (again.frames == masks.frames).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"side": 7},
        {"side": 10**9},
        {"side": None},
        {"crops": "x"},
        {"crops": "////" * 96},  # NaN in every number
        {"frames": [[1, 2, 3, 4]]},
        {"frames": [[1, 2, 3, float("inf")]] * 2},
        {"frames": "x"},
        {"grid": "__class__"},
    ],
)
def test_a_tampered_state_is_refused(masks: Masks, changes: dict[str, Any]):
    with pytest.raises(UserError, match="the masks are not those of the boxes"):
        Masks.of_state(masks.as_state() | changes, count=2)
    with pytest.raises(UserError):
        Masks.of_state(None, count=2)


def test_thresholds_are_kept_in_their_range():
    assert [checked_threshold(given) for given in (0.3, "0.7", -1, 9)] == [0.3, 0.7, 0.01, 0.99]
    for given in ("x", None, [], float("nan")):
        with pytest.raises(UserError, match="no number"):
            checked_threshold(given)


def test_ious_are_of_pixels():
    a, b = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    a[:2], b[1:3] = 1, 1
    assert ious([a, a * 0], [b, b * 0]) == [pytest.approx(1 / 3), None]


def test_a_picture_in_memory_gets_the_masks_of_its_file(models: DemoModels, tmp_path: Any):
    from psis_bench.user_boxes.boxes import GivenBox
    from psis_bench.user_boxes.images import gather

    shown = example("bear")
    cv2.imwrite(str(tmp_path / "bear.png"), shown.picture.pixels)
    given = [GivenBox(image=None, xywh=tuple(box["xywh"]), label=None, where="here") for box in shown.boxes]
    (request,) = gather({tmp_path / "bear.png": True}, given).requests
    for key in models.keys:
        codes = models.load(key).segment(request)
        found = coco_json(
            shown.picture, shown.boxes, models.segment(key, shown.picture, shown.boxes), threshold=0.5, made_by={}
        )
        assert [annotation["segmentation"]["counts"] for annotation in found["annotations"]] == codes


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_pictures_with_seen_and_unseen_objects(name: str, models: DemoModels):
    shown = example(name)
    seen = models.seen("0")
    assert seen is not None
    labels = {box["label"] for box in shown.boxes}
    assert name in labels
    assert labels - seen
    height, width = shown.picture.pixels.shape[:2]
    assert 300 < height < 700 > width > 300


def test_without_boxes_there_are_no_masks(models: DemoModels):
    picture = example("bear").picture
    assert len(models.segment("0", picture, []).crops) == 0
    with pytest.raises(UserError, match="no such model"):
        models.segment("../../x", picture, [])
