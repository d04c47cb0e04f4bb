"""Prediction: weights and images become Parquet files of detections and of masks on ground-truth boxes.

Images go through one at a time, so that a mask does not depend on which images it shared a batch with, and
every ``images_per_part`` of them are written as one whole file. A stopped prediction goes on at the first
part that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from psis_bench.console import progress
from psis_bench.data.coco_format import CocoFile, read_coco
from psis_bench.engine.checkpoints import Weights, load_weights, weights_sha256
from psis_bench.engine.device import use_device
from psis_bench.engine.image_list import ImageList
from psis_bench.engine.images import from_worker
from psis_bench.errors import UserError
from psis_bench.files import write_json
from psis_bench.models import registered  # noqa: F401 - supplies mmcv's operations, so it comes before MMDetection
from psis_bench.models.compose import compose_run
from psis_bench.models.crop_encoding import encode_crops
from psis_bench.models.interface import is_mask_predictor
from psis_bench.run import RunDirectory
from psis_bench.scoring.inputs.records import Kind, part_path, write_part
from psis_bench.scoring.masks.box_jitter import TIGHT, box_sets, folder_of, read_strengths
from psis_bench.scoring.results.extra_masks import EXTRA_MASKS, LEARNS_NO_MASKS
from psis_bench.teacher import labels_extra_masks

_OTHER_MODEL = "give the model= and mask_head= that it was trained with"


@dataclass
class Predictor:
    """A model with weights that predicts one image at a time.

    Attributes:
        model: The network, in evaluation mode.
        device: Where it is.
        category_ids: Category id of each of its labels.
        on_boxes_only: Whether its detector, if it has one, is left aside.
    """

    model: Any
    device: torch.device
    category_ids: list[int]
    on_boxes_only: bool = False

    @property
    def has_detector(self) -> bool:
        """Whether boxes are to be found by the model itself."""
        return bool(self.model.has_detector) and not self.on_boxes_only

    @property
    def mask_grid(self) -> str:
        """The frame of the model's mask crops (`psis_bench.models.paste`)."""
        return str(getattr(self.model, "mask_grid", "cells"))

    @property
    def extra_masks(self) -> str | None:
        """Which masks the model has learned from beyond those of the split; None for none."""
        said: str | None = getattr(self.model, "extra_masks", None)
        return said

    def frames(self, boxes: torch.Tensor, record: Mapping[str, Any]) -> torch.Tensor:
        """Return the boxes (N, 4) xyxy that the mask crops of given boxes cover, in the image of a COCO record."""
        find: Callable[..., torch.Tensor] | None = getattr(self.model, "mask_frames", None)
        return boxes if find is None else find(boxes, record["height"], record["width"])

    @torch.inference_mode()
    def predict(
        self,
        batch: dict[str, Any],
        record: dict[str, Any],
        instances: list[dict[str, Any]],
        box_jitter: Sequence[float] = (),
    ) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
        """Predict one image.

        Args:
            batch: The collated sample of the image.
            record: Its COCO image record.
            instances: COCO annotations on whose boxes masks are wanted.
            box_jitter: Strengths of boxes that are not tight, on which masks are wanted too.

        Returns:
            Rows of detections; and of masks on ground-truth boxes and on moved ones, by the folder that they go to, as
            in `psis_bench.scoring.inputs.records`.
        """
        data = self.model.data_preprocessor(batch, False)
        samples = data["data_samples"]
        features = self.model.extract_feat(data["inputs"])
        on_boxes: dict[str, list[dict[str, Any]]] = {}
        for folder, given in box_sets(instances, record, box_jitter).items():
            on_boxes[folder] = []
            if not instances:
                continue
            boxes = torch.tensor(given, dtype=torch.float32, device=self.device)
            boxes[:, 2:] += boxes[:, :2]
            crops = self.model.masks_on_boxes(features, samples, [boxes])[0]
            masks = encoded(crops, self.frames(boxes, record), record, grid=self.mask_grid)
            on_boxes[folder] += [
                {
                    "image_id": record["id"],
                    "annotation_id": instance["id"],
                    "category_id": instance["category_id"],
                    **mask,
                }
                for instance, mask in zip(instances, masks, strict=True)
            ]
        return (self._detections(features, samples, record) if self.has_detector else []), on_boxes

    def _detections(self, features: Any, samples: list[Any], record: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.model.detect(features, samples)[0]
        corners = found.bboxes.double()
        boxes = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1).tolist()
        masks = encoded(found.mask_crops, self.frames(found.bboxes, record), record, grid=self.mask_grid)
        rows = zip(boxes, found.scores.double().tolist(), found.labels.tolist(), masks, strict=True)
        return [
            {"image_id": record["id"], "category_id": self.category_ids[label], "score": score, "bbox": box, **mask}
            for box, score, label, mask in rows
        ]


def encoded(crops: Any, boxes: torch.Tensor, record: dict[str, Any], *, grid: str) -> Iterator[dict[str, Any]]:
    """Yield ``height``, ``width`` and run-length encoded ``mask`` of each crop (N, S, S) pasted at its box (N, 4).

    Masks that a model has encoded itself, a list, are yielded as they are; futures of them too (see `settled`).
    """
    height, width = record["height"], record["width"]
    codes: Iterable[Any] = crops
    if isinstance(crops, torch.Tensor):
        codes = encode_crops(crops, boxes, height=height, width=width, grid=grid)
    for code in codes:
        yield {"height": height, "width": width, "mask": code}


def settled(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows whose masks are there, waiting for those that are still being computed."""
    return [{**row, "mask": row["mask"].result() if isinstance(row["mask"], Future) else row["mask"]} for row in rows]


def load_predictor(config: Config, weights: Weights, *, device: torch.device, where: str) -> Predictor:
    """Build the model of a config and load weights into it.

    Args:
        config: From `psis_bench.models.compose.compose_model`.
        weights: See `load_weights`.
        device: Where to compute.
        where: The weights' file, for errors.

    Returns:
        A predictor whose category ids are its labels, until it is told those of an annotation file.

    Raises:
        UserError: The weights do not fit the model.
    """
    model: Any = MODELS.build(config.model)
    if not is_mask_predictor(model):
        raise UserError(
            f"the model {type(model).__name__} cannot be predicted with",
            cure="give it has_detector, detect() and masks_on_boxes() as in docs/add_a_model.md",
        )
    try:
        missing, unexpected = model.load_state_dict(weights.tensors, strict=False)
    except RuntimeError as error:  # torch's way to tell of tensors of another shape
        reason = str(error).splitlines()[-1].strip()
        raise UserError(f"the weights do not fit the model: {reason}", where=where, cure=_OTHER_MODEL) from error
    if missing or unexpected:
        name = (missing or unexpected)[0]
        raise UserError(
            f"the weights do not fit the model: {len(missing)} are missing, {len(unexpected)} have no place; "
            f"the first is '{name}'",
            where=where,
            cure=_OTHER_MODEL,
        )
    model = model.to(device).eval()
    if device.type == "cpu":
        model = model.to(memory_format=torch.channels_last)
    return Predictor(model=model, device=device, category_ids=list(range(len(weights.classes or ()))))


def labels_to_categories(classes: Sequence[str], categories: Sequence[dict[str, Any]], *, where: str) -> list[int]:
    """Return the category id of each label, by name: files number and order the same classes differently.

    Args:
        classes: Class names in the order of the labels.
        categories: The annotation file's ``categories``.
        where: The annotation file.

    Raises:
        UserError: The two do not have the same classes.
    """
    ids = {str(category["name"]): int(category["id"]) for category in categories}
    cure = "predict an annotation file with the classes of the training file"
    for name in classes:
        if name not in ids:
            raise UserError(f"there is no category {name!r}, which the model detects", where=where, cure=cure)
    for name in ids:
        if name not in classes:
            raise UserError(f"the model was not trained to detect {name!r}", where=where, cure=cure)
    return [ids[name] for name in classes]


def predict(run: RunDirectory) -> None:
    """Predict the validation images of a run directory, or go on where it stopped.

    Raises:
        UserError: Everything that the user can mend; whole parts that were written stay.
    """
    val = run.dataset.val
    coco = read_coco(val.annotations, images=val.images, on_bad_boxes=run.dataset.on_bad_boxes)
    weights = load_weights(run.final_weights)
    if weights.classes is None:
        raise UserError(
            "the weights do not say which classes they are for",
            where=str(run.final_weights),
            cure="train again with overwrite=train",
        )
    config = compose_run(run.config, classes=weights.classes, max_detections=run.split.max_detections)
    device = use_device(run.config.device, run.config.threads)
    predictor = load_predictor(config, weights, device=device, where=str(run.final_weights))
    # On LVIS a detector of COCO's classes would find none of the new ones: only masks on given boxes are compared.
    predictor.on_boxes_only = run.split.by_synset
    if predictor.has_detector:
        predictor.category_ids = labels_to_categories(weights.classes, coco.categories, where=str(val.annotations))
    predict_dataset(
        predictor,
        coco=coco,
        images=val.images,
        pipeline=config.test_pipeline,
        folder=run.predictions,
        workers=run.config.workers,
        images_per_part=config.test_images_per_part,
        box_jitter=read_strengths(run.config.box_jitter) if run.config.box_jitter else (),
        extra_masks=predictor.extra_masks or labels_extra_masks(run.path),
    )


def predict_dataset(
    predictor: Predictor,
    *,
    coco: CocoFile,
    images: Path,
    pipeline: list[dict[str, Any]],
    folder: Path,
    workers: int,
    images_per_part: int,
    box_jitter: Sequence[float] = (),
    extra_masks: str | None = None,
    title: str = "predict",
) -> None:
    """Predict every image of a COCO file; go on where a stopped prediction left off.

    Args:
        predictor: The model with its weights.
        coco: The annotation file; masks are predicted on the boxes of its non-crowd instances.
        images: Folder with its images.
        pipeline: Configs of the transforms, see `ImageList`.
        folder: ``predictions/`` of a run directory.
        workers: Processes that load images.
        images_per_part: Images a Parquet part.
        box_jitter: Strengths of boxes that are not tight, on which masks are predicted too.
        extra_masks: Which masks the model has learned from beyond those of the split; None for none.
        title: What the progress bar says.

    Raises:
        UserError: A missing or corrupt image, an image whose size is not the recorded one, a full disk.
    """
    (folder / "manifest.json").unlink(missing_ok=True)
    kinds: dict[str, Kind] = dict.fromkeys((TIGHT, *map(folder_of, box_jitter)), "gt_box_masks")
    if predictor.has_detector:
        kinds["detections"] = "detections"
    parts = [coco.images[start : start + images_per_part] for start in range(0, len(coco.images), images_per_part)]
    missing = [i for i in range(len(parts)) if not all(part_path(folder / kind, i).is_file() for kind in kinds)]
    by_image = non_crowd_by_image(coco.annotations)
    todo = [record for i in missing for record in parts[i]]
    loader = DataLoader(
        ImageList(todo, folder=images, pipeline=pipeline),
        batch_size=1,
        num_workers=workers,
        collate_fn=pseudo_collate,
    )
    with progress(title, total=len(coco.images), done=len(coco.images) - len(todo)) as bar:
        batches = iter(loader)
        for index in missing:
            rows: dict[str, list[dict[str, Any]]] = {name: [] for name in kinds}
            for record in parts[index]:
                try:
                    batch = next(batches)
                except UserError as error:
                    raise from_worker(error) from error
                found, on_boxes = predictor.predict(batch, record, by_image.get(record["id"], []), box_jitter)
                for name, more in {**on_boxes, **({"detections": found} if "detections" in rows else {})}.items():
                    rows[name] += more
                bar.advance()
            for name, kind in kinds.items():
                write_part(folder / name, index, settled(rows[name]), kind=kind)
    write_json(
        folder / "manifest.json",
        {
            "schema": 1,
            "complete": True,
            "images": len(coco.images),
            "parts": len(parts),
            "detection_free": not predictor.has_detector,
            "checkpoint_sha256": weights_sha256(predictor.model.state_dict()),
            "annotations_sha256": coco.sha256,
            **({"box_jitter": list(box_jitter)} if box_jitter else {}),
            **({EXTRA_MASKS: extra_masks} if extra_masks else {}),
            **({LEARNS_NO_MASKS: True} if getattr(predictor.model, LEARNS_NO_MASKS, False) else {}),
        },
    )


def non_crowd_by_image(annotations: Iterable[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Group the instances that are not crowds by image, in the order of the file."""
    groups: dict[int, list[dict[str, Any]]] = {}
    for annotation in annotations:
        if not annotation.get("iscrowd", 0):
            groups.setdefault(annotation["image_id"], []).append(annotation)
    return groups
