"""The metric for MMDetection gives what scoring gives on the same detections, and fits MMDetection's Evaluator."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tiny_data import TinyData

from psis_bench.engine.seen_unseen_metric import SeenUnseenMetric
from psis_bench.errors import UserError
from psis_bench.scoring.inputs.records import write_part
from psis_bench.scoring.score import score_run
from psis_bench.splits.registry import get_split


class Detector:
    """Detections that are near the annotations: arrays for MMDetection, and rows for a prediction folder."""

    def __init__(self, tiny: TinyData) -> None:
        random = np.random.default_rng(0)
        self.samples: list[DetDataSample] = []
        self.rows: list[dict[str, Any]] = []
        categories = tiny.val["categories"]
        self.classes = [
            category["name"] for category in reversed(categories)
        ]  # labels are not in the order of the file
        ids = {category["id"]: category["name"] for category in categories}
        for image in tiny.val["images"]:
            height, width = image["height"], image["width"]
            own = [row for row in tiny.val["annotations"] if row["image_id"] == image["id"] and not row["iscrowd"]]
            boxes, masks, labels, scores = [], [], [], []
            for row in [*own, *own[:1]]:
                x, y, w, h = (np.array(row["bbox"]) + random.uniform(-3, 3, 4)).tolist()
                box = np.array(
                    [max(x, 0), max(y, 0), min(x + max(w, 4), width), min(y + max(h, 4), height)], np.float32
                )
                mask = np.zeros((height, width), bool)
                mask[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = True
                boxes.append(box)
                masks.append(mask)
                labels.append(self.classes.index(ids[row["category_id"]]))
                scores.append(np.float32(random.random()))
            self.add(image, boxes=boxes, masks=masks, labels=labels, scores=scores, ids=categories)

    def add(self, image: dict[str, Any], *, boxes: Any, masks: Any, labels: Any, scores: Any, ids: Any) -> None:
        sample = DetDataSample(metainfo={"img_id": image["id"], "ori_shape": (image["height"], image["width"])})
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor(np.array(boxes).reshape(-1, 4)),
            masks=torch.tensor(np.array(masks).reshape(-1, image["height"], image["width"])),
            labels=torch.tensor(labels),
            scores=torch.tensor(np.array(scores, np.float32)),
        )
        self.samples.append(sample)
        by_name = {category["name"]: category["id"] for category in ids}
        for box, mask, label, score in zip(boxes, masks, labels, scores, strict=True):
            x1, y1, x2, y2 = (float(side) for side in box)
            code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
            row = {"image_id": image["id"], "category_id": by_name[self.classes[label]], "score": float(score)}
            more = {"bbox": [x1, y1, x2 - x1, y2 - y1], "mask": code}
            self.rows.append({**row, **more, "height": image["height"], "width": image["width"]})

    def evaluate(self, metric: dict[str, Any]) -> dict[str, float]:
        """Run MMEngine's evaluator as a test loop does, two images a batch."""
        evaluator = Evaluator(METRICS.build(metric))
        evaluator.dataset_meta = {"classes": tuple(self.classes)}
        for first in range(0, len(self.samples), 2):
            evaluator.process(self.samples[first : first + 2])
        return evaluator.evaluate(len(self.samples))


@pytest.fixture
def detector(tiny: TinyData) -> Detector:
    return Detector(tiny)


def config(tiny: TinyData, **changes: Any) -> dict[str, Any]:
    given = {"ann_file": str(tiny.folder / "val.json"), "split": str(tiny.folder / "split.yaml")}
    return {"type": "SeenUnseenMetric", **given, **changes}


def test_it_gives_what_scoring_gives_on_the_same_detections(tiny: TinyData, detector: Detector, tmp_path: Path) -> None:
    found = detector.evaluate(config(tiny, out=str(tmp_path / "out")))
    write_part(tmp_path / "found" / "detections", 0, detector.rows, kind="detections")
    expected = score_run(
        predictions=tmp_path / "found",
        annotations=tiny.folder / "val.json",
        split=get_split(str(tiny.folder / "split.yaml")),
        out=None,
        on_bad_boxes="drop",
    )
    for group, prefix in (("all", ""), ("seen", "seen/"), ("unseen", "unseen/")):
        for part, name in (("box", "bbox"), ("mask", "segm")):
            scores = getattr(expected.groups[group], part)
            for key, value in (("mAP", scores.ap), ("mAP_50", scores.ap50), ("mAP_75", scores.ap75)):
                assert found[f"psis/{prefix}{name}_{key}"] == value
    assert found["psis/seen/segm_mAP"] > 0
    content = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert content["groups"]["unseen"]["mask"]["AP"] == found["psis/unseen/segm_mAP"]
    assert METRICS.get("SeenUnseenMetric") is SeenUnseenMetric


def test_masks_may_be_run_lengths_and_may_be_missing(tiny: TinyData, detector: Detector) -> None:
    made = config(tiny)
    expected = detector.evaluate(made)
    for sample in detector.samples:
        pixels = sample.pred_instances.masks.numpy().astype(np.uint8)
        sample.pred_instances.masks = [coco_mask.encode(np.asfortranarray(mask)) for mask in pixels]
    assert detector.evaluate(made) == expected
    for sample in detector.samples:
        del sample.pred_instances.masks
    boxes_only = detector.evaluate(made)
    assert boxes_only == {name: value for name, value in expected.items() if "bbox" in name}


def test_what_does_not_belong_together_is_told(tiny: TinyData, detector: Detector) -> None:
    made = config(tiny)
    detector.classes[0] = "unicorn"
    with pytest.raises(UserError, match="there is no category 'unicorn', which the model detects"):
        detector.evaluate(made)
    with pytest.raises(UserError, match="unknown split 'voc2novoc'"):
        METRICS.build({**made, "split": "voc2novoc"})
    with pytest.raises(UserError, match="on_bad_boxes: unknown value 'dropp'; did you mean 'drop'"):
        METRICS.build({**made, "on_bad_boxes": "dropp"})
    metric = METRICS.build(made)
    with pytest.raises(UserError, match="does not say its classes"):
        metric.compute_metrics([])


def test_a_list_filled_up_with_equal_boxes_is_scored_as_pycocotools_does(tiny: TinyData, detector: Detector) -> None:
    """A model of a fixed number of detections pads them; that must not stop a training."""
    image = tiny.val["images"][0]
    sides = (image["height"], image["width"])
    padding = {"boxes": np.zeros((5, 4), np.float32), "masks": np.zeros((5, *sides), bool), "labels": [1] * 5}
    detector.add(image, **padding, scores=np.ones(5), ids=tiny.val["categories"])
    found = detector.evaluate(config(tiny))
    results = [
        {**row, "segmentation": {"size": [row.pop("height"), row.pop("width")], "counts": row.pop("mask")}}
        for row in map(dict, detector.rows)
    ]
    for iou_type in ("bbox", "segm"):
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(tiny.folder / "val.json")
            # With segmentations pycocotools takes areas and boxes from them.
            given = [
                {k: v for k, v in row.items() if k != ("segmentation" if iou_type == "bbox" else "bbox")}
                for row in results
            ]
            evaluation = COCOeval(coco, coco.loadRes(given), iou_type)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        assert [found[f"psis/{iou_type}_{key}"] for key in ("mAP", "mAP_50", "mAP_75")] == evaluation.stats[:3].tolist()
    assert found["psis/bbox_mAP"] < Detector(tiny).evaluate(config(tiny))["psis/bbox_mAP"]
