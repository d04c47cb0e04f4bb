"""Models without masks of their own, as runs: GrabCut, and box-prompted segmenters of any kind."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from changed_masks import change_masks, random_masks, same
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from stopped_training import stop_in_the_third_iteration
from tiny_data import SEEN, UNSEEN, TinyData

from psis_bench.cli import main
from psis_bench.config import resolve_config
from psis_bench.engine.checkpoints import load_weights
from psis_bench.rle import segmentation_to_rle
from psis_bench.run import RunDirectory


class Knowing:
    """A segmenter that knows the ground truth of a COCO file, by the image's pixels and the box."""

    extra_masks = "the ground truth itself"

    def __init__(self, file: str) -> None:
        import cv2

        path = Path(file)
        truth = json.loads(path.read_text())
        self.known: dict[tuple[bytes, tuple[float, ...]], NDArray[np.bool_]] = {}
        pixels = {
            image["id"]: cv2.imread(str(path.parent / path.stem / image["file_name"]))[..., ::-1].tobytes()
            for image in truth["images"]
        }
        sizes = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}
        for one in truth["annotations"]:
            rle = segmentation_to_rle(one["segmentation"], *sizes[one["image_id"]])
            key = (pixels[one["image_id"]], tuple(one["bbox"]))
            self.known[key] = coco_mask.decode(rle).astype(np.bool_)

    def segment(self, image: NDArray[np.uint8], boxes: NDArray[np.float64]) -> Sequence[NDArray[np.bool_]]:
        corners = [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes.tolist()]
        return [self.known[image.tobytes(), box] for box in corners]


@pytest.fixture(autouse=True)
def stub_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("stubs")
    vars(module).update(Knowing=Knowing)
    monkeypatch.setitem(sys.modules, "stubs", module)


def arguments(tiny: TinyData, model: str, *more: str, out: str) -> list[str]:
    places = (f"split={tiny.folder / 'split.yaml'}", f"data={tiny.folder / 'data.yaml'}", f"out={tiny.folder / out}")
    return ["run", *places, f"model={model}", "device=cpu", "workers=0", "threads=1", *more]


def scores(tiny: TinyData, out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tiny.folder / out / "scores.json").read_text())
    return found


def test_true_masks_score_one_and_every_result_is_marked(tiny: TinyData, capsys: pytest.CaptureFixture[str]) -> None:
    knowing = ("mm.model.segmenter.type=stubs.Knowing", f"+mm.model.segmenter.file={tiny.folder / 'val.json'}")
    assert main(arguments(tiny, "promptable/gt_boxes", *knowing, out="known")) == 0
    printed = capsys.readouterr()
    found = scores(tiny, "known")
    for group in ("seen", "unseen", "all"):
        assert found["groups"][group]["gt_box_miou"] == {"class_mean": 1.0, "instance_mean": 1.0}
        assert found["groups"][group]["mask"] is None
    words = "extra mask data, not comparable with other rows: the ground truth itself"
    assert words in found["notes"]
    assert "(version 1), extra mask data" in printed.out
    assert "this model has nothing to learn" in printed.err
    assert words in (tiny.folder / "known" / "report.html").read_text()
    assert not (tiny.folder / "known" / "train_log.jsonl").exists()

    assert main(arguments(tiny, "promptable/gt_boxes", out="full")) == 0
    groups = scores(tiny, "full")["groups"]
    assert all(group["gt_box_miou"] == group["full_box"] for group in groups.values())
    assert not any("extra mask data" in note for note in scores(tiny, "full")["notes"])
    capsys.readouterr()

    assert main(["compare", str(tiny.folder / "known"), str(tiny.folder / "full"), "draws=100", "--markdown"]) == 0
    compared = capsys.readouterr().out
    assert "| A, extra mask data | 100.0" in compared
    assert "\n| B | " in compared
    assert main(["ls", "runs", str(tiny.folder), "--json"]) == 0
    listed = {row["run"]: row["extra_masks"] for row in json.loads(capsys.readouterr().out)}
    assert listed == {"known": True, "full": False}

    (tiny.folder / "known" / "mm_config.py").unlink()  # it is not in the form of a run's in these tests
    about = tiny.folder / "about.yaml"
    assert main(["bundle", str(tiny.folder / "known"), f"about={about}"]) == 2  # written for the person to fill in
    assert "extra mask data: the ground truth itself" in about.read_text()


def test_grabcut_alone(tiny: TinyData, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(tiny, "grabcut/gt_boxes", out="one")) == 0
    first = (tiny.folder / "one" / "predictions" / "gt_box_masks" / "part-00000.parquet").read_bytes()
    found = scores(tiny, "one")["groups"]["all"]
    # The objects are of one colour on a darker ground.
    assert found["gt_box_miou"]["class_mean"] > found["full_box"]["class_mean"] + 0.1
    # A mistake leaves nothing behind that another configuration would have to throw away.
    assert main(arguments(tiny, "grabcut/gt_boxes", "mm.model.segmenter.max_pixels=0", out="two")) == 2
    assert main(arguments(tiny, "grabcut/gt_boxes", "threads=2", out="two")) == 0
    assert (tiny.folder / "two" / "predictions" / "gt_box_masks" / "part-00000.parquet").read_bytes() == first
    capsys.readouterr()
    for key in ("iterations=5", "schedule=cpu", "mask_head=resnet4"):
        assert main(arguments(tiny, "grabcut/gt_boxes", key, out="three")) == 2
        assert f"leave {key.partition('=')[0]}= out" in capsys.readouterr().err


def test_grabcut_in_detected_boxes_learns_from_no_mask_and_goes_on(tiny: TinyData) -> None:
    small = tiny.arguments("grabcut/small", iterations=3)
    few = [word for word in small if "mask_head" not in word and not word.startswith("out=")]
    few.append("mm.model.test_cfg.rcnn.max_per_img=5")
    weights = []
    for name, classes in (("true", ()), ("other", (*SEEN, *UNSEEN))):
        change_masks(tiny, classes, random_masks)
        words = [*few, f"out={tiny.folder / name}"]
        if name == "other":
            stop_in_the_third_iteration(RunDirectory.of(resolve_config(words)))
        assert main(["run" if name == "true" else "train", *words]) == 0
        weights.append(load_weights(tiny.folder / name / "checkpoints" / "final.safetensors"))
    assert same(weights[0], weights[1])
    groups = scores(tiny, "true")["groups"]
    assert groups["all"]["box"]["AP"] is not None
    assert groups["all"]["mask"]["AP"] is not None
    assert json.loads((tiny.folder / "true" / "predictions" / "manifest.json").read_text())["learns_no_masks"] is True
