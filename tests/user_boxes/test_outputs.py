"""What is written, read by others: pycocotools for the JSON, Pillow for the PNG files."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from psis_bench.errors import UserError
from psis_bench.user_boxes.boxes import GivenBox
from psis_bench.user_boxes.images import Request, gather
from psis_bench.user_boxes.outputs import Outputs, check_folder
from psis_bench.user_boxes.overlay import colour_of, draw_overlay

from .conftest import Draw


def request_of(path: Path, *boxes: tuple[float, float, float, float], labels: tuple[str | None, ...] = ()) -> Request:
    given = [
        GivenBox(image=None, xywh=xywh, label=label, where="")
        for xywh, label in zip(boxes, labels or (None,) * len(boxes), strict=True)
    ]
    return gather({path: True}, given).requests[0]


def code_of(mask: np.ndarray) -> str:
    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


def random_mask(seed: int, box: tuple[int, int, int, int]) -> np.ndarray:
    x, y, w, h = box
    mask = np.zeros((40, 60), bool)
    mask[y : y + h, x : x + w] = np.random.default_rng(seed).random((h, w)) > 0.4
    return mask


def test_files_hold_the_masks(draw: Draw, tmp_path: Path) -> None:
    boxes = ((5, 6, 20, 15), (30, 10, 25, 28))
    masks = [random_mask(seed, box) for seed, box in enumerate(boxes)]
    outputs = Outputs(tmp_path / "out", made_by={"model": "m"})
    outputs.add(request_of(draw("a.png"), *boxes, labels=("cat", None)), [code_of(mask) for mask in masks])
    outputs.add(request_of(draw("x/a.png"), boxes[0], labels=("cat",)), [code_of(np.zeros((40, 60)))])
    content = outputs.finish()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a-1.png", "a-2.png", "a-overlay.jpg", "a_2-1.png", "a_2-overlay.jpg", "masks.json"]
    for number, mask in enumerate(masks, start=1):
        with Image.open(tmp_path / "out" / f"a-{number}.png") as image:
            assert image.mode == "L"
            assert np.array_equal(np.asarray(image), mask * 255)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "out" / "masks.json"))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["cat", "object"]
    for annotation, mask in zip(coco.loadAnns([1, 2]), masks, strict=True):
        assert np.array_equal(coco.annToMask(annotation), mask)
        assert annotation["area"] == mask.sum()
    assert coco.loadAnns([1])[0]["bbox"] == [5, 6, 20, 15]
    assert coco.loadAnns([3])[0]["area"] == 0
    assert content["info"]["model"] == "m"


def test_names_never_meet(draw: Draw, tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "out", made_by={})
    box = (1.0, 1.0, 5.0, 5.0)
    code = code_of(np.zeros((40, 60)))
    paths = [draw("a.png"), draw("x/A.jpg"), draw("a_2.png"), draw("a-1.png"), draw("n" * 200 + ".png")]
    for path in paths:
        outputs.add(request_of(path, box), [code])
    outputs.finish()
    assert len(list((tmp_path / "out").iterdir())) == 2 * len(paths) + 1


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for folder, message in ((tmp_path, "it holds 'notes.txt'"), (tmp_path / "notes.txt", "is a file")):
        with pytest.raises(UserError) as caught:
            check_folder(folder)
        assert message in str(caught.value)
    check_folder(tmp_path / "new" / "deeper")


def test_overlay_changes_the_masks_pixels_and_the_frames_alone() -> None:
    picture = np.full((80, 100, 3), 90, np.uint8)
    mask = np.zeros((80, 100), np.uint8)
    mask[40:60, 30:70] = 1
    drawn = draw_overlay(picture, [mask], [(20.0, 30.0, 60.0, 40.0)])
    assert picture.max() == 90  # the picture itself is not painted
    inside = drawn[45:55, 40:60].reshape(-1, 3)
    expected = np.round(0.5 * 90 + 0.5 * np.array(colour_of(0)))
    assert np.abs(inside - expected).max() <= 1
    untouched = drawn.copy()
    untouched[28:72, 18:82] = 90  # box with its frame
    untouched[:30, 15:50] = 90  # the number's plate
    assert np.array_equal(untouched, picture)


def test_neighbouring_colours_differ() -> None:
    colours = np.array([colour_of(index) for index in range(12)], float)
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 150
