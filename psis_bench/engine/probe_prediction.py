"""Prediction in probe mode: features and boxes of an image once, masks by every head."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn

from psis_bench.console import progress
from psis_bench.data.coco_format import CocoFile
from psis_bench.engine.image_list import ImageList
from psis_bench.engine.predict import encoded, labels_to_categories, non_crowd_by_image
from psis_bench.engine.threads import in_threads
from psis_bench.models.interface import boxes_in_input
from psis_bench.scoring.inputs.records import Kind, write_part

if TYPE_CHECKING:
    from psis_bench.engine.probe import Probe

Rows = dict[Kind, list[dict[str, Any]]]


def predict_with_heads(
    probe: Probe,
    coco: CocoFile,
    images: Path,
    heads: Mapping[Path, nn.Module],
    *,
    detections: bool,
) -> None:
    """Write the predictions of each head, in the format of any run's.

    Args:
        probe: The detector.
        coco: The annotation file.
        images: Folder of its images.
        heads: Folder for the predictions of each head, and the head.
        detections: Whether detections are predicted too.
    """
    kinds: list[Kind] = ["gt_box_masks", "detections"] if detections else ["gt_box_masks"]
    rows: dict[Path, Rows] = {folder: {kind: [] for kind in kinds} for folder in heads}
    source = ImageList(coco.images, folder=images, pipeline=probe.config.test_pipeline)
    ids = labels_to_categories(probe.classes, coco.categories, where=str(coco.path)) if detections else []
    by_image = non_crowd_by_image(coco.annotations)

    def of_image(place: int) -> dict[Path, Rows]:
        record = coco.images[place]
        return _predict_image(probe, source[place], record, by_image.get(record["id"], []), heads, ids=ids)

    with progress("predict", total=len(coco.images)) as bar:
        for found in in_threads(of_image, range(len(coco.images)), device=probe.device):
            for folder, own in found.items():
                for kind, content in own.items():
                    rows[folder][kind] += content
            bar.advance()
    for folder, own in rows.items():
        for kind, content in own.items():
            write_part(folder / kind, 0, content, kind=kind)


@torch.inference_mode()
def _predict_image(
    probe: Probe,
    sample: dict[str, Any],
    record: dict[str, Any],
    instances: list[dict[str, Any]],
    heads: Mapping[Path, nn.Module],
    *,
    ids: list[int],
) -> dict[Path, Rows]:
    """Return the predictions of each head for an image."""
    data = probe.detector.data_preprocessor(pseudo_collate([sample]), False)
    packed = data["data_samples"][0]
    features = probe.detector.extract_feat(data["inputs"])
    given: dict[Kind, tuple[Tensor, list[dict[str, Any]]]] = {}
    if instances:
        boxes = torch.tensor([item["bbox"] for item in instances], dtype=torch.float32, device=probe.device)
        boxes[:, 2:] += boxes[:, :2]
        facts = [{"annotation_id": item["id"], "category_id": item["category_id"]} for item in instances]
        given["gt_box_masks"] = boxes, facts
    if ids:
        found = _detect(probe, features, data["data_samples"], ids)
        if found[1]:
            given["detections"] = found
    rows: dict[Path, Rows] = {folder: {} for folder in heads}
    for kind, (boxes, facts) in given.items():
        crops = probe.crops(features, boxes_in_input(boxes, packed))
        for folder, head in heads.items():
            masks = encoded(head(crops)[:, 0].sigmoid(), boxes, record, grid="cells")
            rows[folder][kind] = [
                {"image_id": record["id"], **fact, **mask} for fact, mask in zip(facts, masks, strict=True)
            ]
    return rows


def _detect(probe: Probe, features: Any, samples: list[Any], ids: list[int]) -> tuple[Tensor, list[dict[str, Any]]]:
    """Return the boxes of an image's detections, xyxy in pixels of the original image, and what is known of each."""
    proposals = probe.detector.rpn_head.predict(features, samples, rescale=False)
    found = probe.detector.roi_head.predict(features, proposals, samples, rescale=True)[0]
    corners = found.bboxes.double()
    boxes = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1).tolist()
    facts = [
        {"category_id": ids[label], "score": score, "bbox": box}
        for box, score, label in zip(boxes, found.scores.double().tolist(), found.labels.tolist(), strict=True)
    ]
    return found.bboxes, facts
