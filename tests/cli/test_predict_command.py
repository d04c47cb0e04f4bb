"""``psis-bench predict`` with boxes of the user's own, and without."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from psis_bench.cli import main
from psis_bench.files import write_text

from .conftest import Workshop


class Segmenter:
    """Stands in for the model: every mask is empty; the last one made is remembered."""

    last: Segmenter

    sha256 = "0" * 64

    def __init__(self, config: Any, weights: Path) -> None:
        assert weights.is_file()
        self.model = config.model
        type(self).last = self

    def segment(self, request: Any) -> list[str]:
        empty = np.zeros((request.height, request.width), np.uint8, order="F")
        return [coco_mask.encode(empty)["counts"].decode()] * len(request.boxes)


@pytest.fixture
def place(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workshop's folder with a trained run, two images, and a model that stands in for the real one."""
    main(["train", *workshop.keys])
    module = ModuleType("psis_bench.engine.user_boxes")
    vars(module)["BoxSegmenter"] = Segmenter
    monkeypatch.setitem(sys.modules, "psis_bench.engine.user_boxes", module)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(workshop.folder / name), np.zeros((40, 60, 3), np.uint8))
    write_text(workshop.folder / "boxes.csv", "image,x,y,w,h\na.png,1,2,30,20\nb.png,5,5,9,9\n")
    return workshop.folder


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_the_stage_runs_as_ever(place: Path, workshop: Workshop) -> None:
    workshop.ran()
    assert main(["predict", *workshop.keys]) == 0
    assert main(["predict", str(workshop.out), "overwrite=predict"]) == 0
    assert workshop.ran() == ["predict", "predict"]


def test_masks_of_two_images(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["predict", "image=a.png", "image=b.png", "boxes=boxes.csv", "run=run"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "masks of 2 boxes on 2 images: masks/masks.json",
        "2 of them are empty: the model saw nothing in the box",
        "to look at: masks/a-overlay.jpg",
    ]
    assert {path.name for path in Path("masks").iterdir()} == {
        "a-1.png",
        "a-overlay.jpg",
        "b-1.png",
        "b-overlay.jpg",
        "masks.json",
    }
    after = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in before}
    assert after == before


def test_json_is_alone_on_standard_output(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["predict", "image=a.png", "boxes=1,2,3,4", "run=run", "out=new", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content == json.loads(Path("new/masks.json").read_text())
    assert content["annotations"][0]["bbox"] == [1, 2, 3, 4]


def test_dry_run_makes_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["predict", "image=a.png", "boxes=1,2,3,4", "run=run", "out=new", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("would segment 1 box on 1 image with run/checkpoints/final.safetensors")
    assert not Path("new").exists()


def test_which_model(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = place / "elsewhere" / "deep" / "weights.safetensors"
    write_text(elsewhere, "weights")
    common = ["predict", "image=a.png", "boxes=1,2,3,4"]
    assert main([*common, "checkpoint=run/checkpoints/final.safetensors", "out=m1"]) == 0
    assert Segmenter.last.model == "detection_free/small"
    assert main([*common, f"checkpoint={elsewhere}", "model=deep_marc/small", "out=m2"]) == 0
    assert Segmenter.last.model == "deep_marc/small"
    capsys.readouterr()
    assert main([*common, f"checkpoint={elsewhere}", "out=m3"]) == 2
    assert said(capsys).endswith(
        "nothing says which model these weights are of; add model= and mask_head= (psis-bench ls models)"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["boxes=1,2,3,4", "run=run"], "no image is given; add image=photo.jpg"),
        (["image=a.png", "run=run"], "no boxes is given; add boxes='x,y,w,h;x,y,w,h' or boxes.csv"),
        (["image=a.png", "boxes=1,2,3,4"], "neither run= nor checkpoint= is given"),
        (["image=a.png", "boxes=1,2,3,4", "run=run", "checkpoint=x"], "both run= and checkpoint= are given"),
        (["image=a.png", "boxes=1,2,3,4", "run=nowhere"], "nowhere/config.yaml: no such file"),
        (["image=a.png", "boxes=1,2,3,4", "run=run", "run=run"], "run= is given twice"),
        (["image=a.png", "boxes=1,2,3,4", "run=run", "box=3"], "unknown key 'box' beside image= and boxes="),
        (["image=a.png", "boxes=1,2,3,4", "run=run", "split=voc2nonvoc"], "unknown key 'split' beside image="),
        (["image=a.png", "boxes=1,2,3,4", "run=run", "b.png"], "'b.png' is not key=value"),
        (["image=a.png", "boxes=1,2,3,4", "run=run", "out=."], ".: the folder is not empty: it holds"),
        (["image=a.png", "boxes=1,2,3,4", "run=run", "out="], "out has no value"),
        (["image=c.png", "boxes=1,2,3,4", "run=run"], "c.png: no such image"),
        (["image=boxes.csv", "boxes=1,2,3,4", "run=run"], "boxes.csv: is not an image, or a broken one"),
        (["image=a.png,b.png", "boxes=1,2,3,4", "run=run"], "the box does not say which of the 2 images it is of"),
        (["image=a.png", "boxes=1,2,3,4", "checkpoint=none.pth", "model=nomodel"], "unknown model 'nomodel'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["predict", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
