"""AP of seen and of unseen classes in MMDetection's own training and testing: a metric of MMEngine.

Three lines of a config (docs/mmdet_metric.md)::

    custom_imports = dict(imports=["psis_bench.engine.seen_unseen_metric"])
    val_evaluator = dict(type="SeenUnseenMetric", ann_file="annotations/instances_val2017.json", split="voc2nonvoc")
    test_evaluator = val_evaluator

The numbers are those of ``psis-bench score`` on the same detections: at most as many of an image as the split says,
over all classes together, and every class evaluated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from pycocotools import mask as coco_mask

from psis_bench.data.dataset_config import OnBadBoxes
from psis_bench.engine.predict import labels_to_categories
from psis_bench.errors import UserError
from psis_bench.scoring.inputs.arguments import check_choice
from psis_bench.scoring.results.scores import Scores
from psis_bench.scoring.score import score_predictions
from psis_bench.splits.registry import get_split

_FIELDS = {"box": "bbox", "mask": "segm", "boundary": "boundary"}


@METRICS.register_module()
class SeenUnseenMetric(BaseMetric):
    """Box AP and mask AP of seen, unseen and all classes.

    Args:
        ann_file: COCO-format annotation file of what is evaluated.
        split: Name of a split (``psis-bench ls splits``), or its YAML file.
        on_bad_boxes: ``drop`` leaves annotations out whose box has no area, as official COCO files need.
        boundary: Also take boundary AP.
        out: Folder for ``scores.json``, ``per_class.csv`` and ``per_instance.parquet``; None writes nothing.
        collect_device: As for every metric of MMEngine.
        prefix: As for every metric of MMEngine.

    Raises:
        UserError: The split or ``on_bad_boxes`` is not known; before a training, not at its first validation.
    """

    default_prefix = "psis"

    def __init__(
        self,
        *,
        ann_file: str,
        split: str,
        on_bad_boxes: OnBadBoxes = "drop",
        boundary: bool = False,
        out: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        check_choice("on_bad_boxes", on_bad_boxes, OnBadBoxes)
        get_split(split)
        self.ann_file = ann_file
        self.split = split
        self.on_bad_boxes = on_bad_boxes
        self.boundary = boundary
        self.out = out

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the detections of a batch, masks as run lengths.

        Args:
            data_batch: Not used.
            data_samples: With ``img_id``, ``ori_shape`` and ``pred_instances``: ``bboxes`` (N, 4) xyxy in pixels of the
                original image, ``scores`` (N,), ``labels`` (N,), and perhaps ``masks``: bool (N, H, W) or RLEs.
        """
        for sample in data_samples:
            self.results.append(_detections(sample))

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Score everything that was kept, of all processes.

        Returns:
            ``bbox_mAP``, ``segm_mAP``, ... of all classes, ``seen/bbox_mAP``, ... and ``unseen/...``; as in
            ``CocoMetric`` -1 where there is none.

        Raises:
            UserError: The annotation file, the split and the classes of the data set do not belong together.
        """
        scores = score_predictions(
            self._rows(results),
            annotations=self.ann_file,
            split=self.split,
            out=self.out,
            boundary=self.boundary,
            on_bad_boxes=self.on_bad_boxes,
        )
        return dict(_named(scores))

    def _rows(self, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        from psis_bench.data.json_file import load_json

        meta = self.dataset_meta or {}
        if "classes" not in meta:
            raise UserError("the data set does not say its classes", cure="give its metainfo classes=(...)")
        categories = load_json(Path(self.ann_file))[0]["categories"]
        ids = labels_to_categories(meta["classes"], categories, where=self.ann_file)
        return [
            {"image_id": result["image_id"], "category_id": ids[label], "score": score, "bbox": box, **mask}
            for result in results
            for label, score, box, mask in zip(
                result["labels"], result["scores"], result["boxes"], result["masks"], strict=True
            )
        ]


def _detections(sample: dict[str, Any]) -> dict[str, Any]:
    found = sample["pred_instances"]
    corners = found["bboxes"].detach().cpu().double().numpy()
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    height, width = (int(side) for side in sample["ori_shape"][:2])
    masks: list[dict[str, Any]] = [{} for _ in boxes]
    if "masks" in found:
        masks = [{"segmentation": _rle(mask, height, width)} for mask in found["masks"]]
    return {
        "image_id": int(sample["img_id"]),
        "labels": found["labels"].detach().cpu().tolist(),
        "scores": found["scores"].detach().cpu().double().tolist(),
        "boxes": boxes.tolist(),
        "masks": masks,
    }


def _rle(mask: Any, height: int, width: int) -> dict[str, Any]:
    if isinstance(mask, dict):
        counts = mask["counts"]
        text = counts.decode("ascii") if isinstance(counts, bytes) else counts
        return {"size": [int(side) for side in mask["size"]], "counts": text}
    pixels = np.ascontiguousarray(mask.detach().cpu().numpy() if hasattr(mask, "detach") else mask, np.uint8)
    # Columns one after the other, as the encoder walks; the transpose of OpenCV is several times NumPy's.
    found = coco_mask.encode(cv2.transpose(pixels).T)
    return {"size": [height, width], "counts": found["counts"].decode("ascii")}


def _named(scores: Scores) -> Any:
    for group, values in scores.groups.items():
        prefix = "" if group == "all" else f"{group}/"
        for part, name in _FIELDS.items():
            found = getattr(values, part)
            if found is None:
                continue
            for key, value in (("mAP", found.ap), ("mAP_50", found.ap50), ("mAP_75", found.ap75)):
                yield f"{prefix}{name}_{key}", -1.0 if value is None else value
