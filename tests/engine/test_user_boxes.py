"""Masks of given boxes: the frame of boxes, chunks, and images that are turned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from PIL import Image
from pycocotools import mask as coco_mask
from tiny_data import TinyData

from psis_bench.config import resolve_config
from psis_bench.engine.checkpoints import save_weights
from psis_bench.engine.predict import predict
from psis_bench.engine.user_boxes import BoxSegmenter
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_run
from psis_bench.run import RunDirectory
from psis_bench.scoring.inputs.records import read_parts
from psis_bench.user_boxes.boxes import GivenBox
from psis_bench.user_boxes.images import Request, gather

FREE, MARC = "detection_free/small", "deep_marc/small"


def untrained(tiny: TinyData, model: str) -> RunDirectory:
    """Return a run directory with random weights for the classes of the training file."""
    run = RunDirectory.of(resolve_config(tiny.arguments(model, "mask_head=resnet4", out=model)))
    classes = [category["name"] for category in tiny.train["categories"]]
    torch.manual_seed(0)
    network = MODELS.build(compose_run(run.config, classes=classes).model)
    network.init_weights()
    save_weights(run.final_weights, network.state_dict(), classes=classes)
    return run


def request_of(path: Path, boxes: list[Any]) -> Request:
    given = [GivenBox(image=None, xywh=tuple(box), label=None, where="") for box in boxes]
    return gather({path: True}, given).requests[0]


@pytest.mark.parametrize("model", [FREE, MARC])
def test_same_masks_as_the_prediction_stage_on_the_same_boxes(tiny: TinyData, model: str) -> None:
    run = untrained(tiny, model)
    predict(run)
    rows = [
        row
        for part in read_parts(run.predictions / "gt_box_masks", kind="gt_box_masks")
        for row in part.table.to_pylist()
    ]
    segmenter = BoxSegmenter(run.config, run.final_weights)
    boxes = {annotation["id"]: annotation["bbox"] for annotation in tiny.val["annotations"]}
    for image in tiny.val["images"]:
        mine = [row for row in rows if row["image_id"] == image["id"]]
        assert mine
        request = request_of(tiny.folder / "val" / image["file_name"], [boxes[row["annotation_id"]] for row in mine])
        codes = [row["mask"] if isinstance(row["mask"], str) else row["mask"].decode() for row in mine]
        assert segmenter.segment(request) == codes


class AlwaysFull:
    """Stands in for a model: everything in a box is the object; remembers the boxes it was given."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.seen: list[np.ndarray] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def masks_on_boxes(self, features: Any, samples: Any, boxes: list[torch.Tensor]) -> list[torch.Tensor]:
        self.seen.append(boxes[0].numpy())
        return [torch.ones(len(boxes[0]), 4, 4)]


def test_boxes_in_many_parts_and_upright_pixels(tiny: TinyData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psis_bench.engine.user_boxes._AT_ONCE", 3)
    run = untrained(tiny, FREE)
    segmenter = BoxSegmenter(run.config, run.final_weights)
    segmenter.predictor.model = full = AlwaysFull(segmenter.predictor.model)
    image = Image.new("RGB", (90, 60))
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by a quarter: upright it is 60 wide and 90 high
    path = tiny.folder / "turned.jpg"
    image.save(path, exif=exif)
    boxes = [(1.0 * i, 10.0 * i, 20.0, 9.0) for i in range(8)]
    request = request_of(path, boxes)
    codes = segmenter.segment(request)
    assert [len(part) for part in full.seen] == [3, 3, 2]
    assert np.concatenate(full.seen)[7].tolist() == [7, 70, 27, 79]
    for (x, y, w, h), code in zip(boxes, codes, strict=True):
        mask = coco_mask.decode({"size": [90, 60], "counts": code})
        rows, columns = np.nonzero(mask)
        # The bilinear value of a full crop falls below a half nowhere inside its box.
        assert (columns.min(), columns.max() + 1, rows.min(), rows.max() + 1) == (x, x + w, y, y + h)
