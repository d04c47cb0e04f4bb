"""Probe mode: one detector trained on boxes and frozen, and on its features a mask head for each source class.

Twenty trainings with masks of one class each differ in nothing but the mask head's supervision. Here the rest is
trained once. What a mask head sees of an object, its crop of the frozen features, is computed once too and kept, so
that a head costs seconds. It is another protocol than a training each: features never learn from masks, and crops are
those of the test-time image and its mirror image alone. Its numbers are marked, and are not comparable with those of
full trainings.

Shapes: N instances, C channels, S side of a crop; masks have side 2 S.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import Tensor, nn

from psis_bench.console import progress
from psis_bench.data.coco_format import read_coco
from psis_bench.engine import training_set  # noqa: F401 - registers the data set and its transforms
from psis_bench.engine.checkpoints import load_weights
from psis_bench.engine.device import use_device
from psis_bench.engine.stream import derived_seed
from psis_bench.engine.threads import in_threads
from psis_bench.engine.train import train_model
from psis_bench.errors import UserError
from psis_bench.files import atomic_path, write_json
from psis_bench.models.compose import compose_run, scale_schedule
from psis_bench.models.mask_loss import mask_cross_entropy, soft_mask_targets
from psis_bench.run import RunDirectory
from psis_bench.sweep.probe_settings import ProbeSettings

_CACHE = "crops"
_BUILDING = Lock()


@dataclass(frozen=True, kw_only=True)
class CropCache:
    """Crops of every training instance with a mask.

    Attributes:
        crops: (2, N, C, S, S) float16: of the image, and of its mirror image.
        targets: (2, N, 2 S, 2 S) float16 in [0, 1].
        categories: (N,) category ids.
    """

    crops: npt.NDArray[np.float16]
    targets: npt.NDArray[np.float16]
    categories: npt.NDArray[np.int64]

    def of(self, category_ids: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return the places of the instances of some categories."""
        return np.flatnonzero(np.isin(self.categories, list(category_ids)))


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A frozen detector, and what is needed to train and use mask heads on it.

    Attributes:
        config: The whole model's config, with its mask head.
        detector: The model without its mask head, in evaluation mode.
        extractor: Cuts crops from its features.
        classes: Class names in the order of the labels.
        device: Where it is.
    """

    config: Config
    detector: Any
    extractor: Any
    classes: tuple[str, ...]
    device: torch.device

    def crops(self, features: tuple[Tensor, ...], boxes: Tensor) -> Tensor:
        """Return the crops (N, C, S, S) of boxes (N, 4), xyxy in input pixels of a single image."""
        rois = torch.cat([boxes.new_zeros((len(boxes), 1)), boxes], dim=1)
        found: Tensor = self.extractor(features[: self.extractor.num_inputs], rois)
        return found.contiguous(memory_format=layout(self.device))


def whole_config(run: RunDirectory, classes: Sequence[str]) -> Config:
    """Return the config of a run's model.

    Raises:
        UserError: Its mask head is not one that works on crops of a detector's features.
    """
    config = compose_run(run.config, classes=classes, max_detections=run.split.max_detections)
    head = config.model.get("roi_head", {})
    if not head.get("mask_head") or not head.get("mask_roi_extractor"):
        raise UserError(
            f"probe=true needs a detector with a mask head on crops, which model={run.config.model} is not",
            cure="use a model of deep_marc/, as in model=deep_marc/small",
        )
    if not head.mask_head.get("class_agnostic", True):
        raise UserError("probe=true needs a mask head for all classes alike", cure="leave the override of it out")
    return config


def without_mask_head(config: Config) -> Config:
    """Return the config of the detector alone."""
    detector = Config(config.to_dict())
    for name in ("mask_head", "mask_roi_extractor"):
        detector.model.roi_head[name] = None
    return detector


def train_detector(run: RunDirectory) -> Probe:
    """Train the detector of a probe on boxes alone, or go on where that stopped, and freeze it.

    Args:
        run: Where its checkpoints go; its split gives the limit of detections and nothing else.
    """
    dataset, settings = run.dataset, run.config
    if dataset.train is None:
        raise UserError(f"the data set '{dataset.name}' has no training part", cure="add train: to its YAML file")
    whole_config(run, run.split.seen)
    coco = read_coco(dataset.train.annotations, images=dataset.train.images, on_bad_boxes=dataset.on_bad_boxes)
    classes = tuple(str(category["name"]) for category in coco.categories)
    config = whole_config(run, classes)
    alone = without_mask_head(config)
    if not run.final_weights.is_file():
        train_model(
            alone,
            folder=run.path,
            subset=dataset.train,
            classes=classes,
            seen_ids=(),
            seed=settings.seed,
            workers=settings.workers,
            device=settings.device,
            threads=settings.threads,
        )
    device = use_device(settings.device, settings.threads)
    MMLogger.get_current_instance().setLevel(logging.WARNING)  # building a head tells of every parameter
    detector: Any = MODELS.build(alone.model)
    detector.load_state_dict(load_weights(run.final_weights).tensors)
    extractor = MODELS.build(config.model.roi_head.mask_roi_extractor)
    detector = detector.to(device, memory_format=layout(device)).eval()
    return Probe(config=config, detector=detector, extractor=extractor, classes=classes, device=device)


def layout(device: torch.device) -> torch.memory_format:
    """Return the layout in which narrow convolutions take least time: on CPU a third less than the usual one."""
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


def cached_crops(probe: Probe, run: RunDirectory) -> CropCache:
    """Return the crops of the training set, computing them unless they are there."""
    folder = run.path / _CACHE
    arrays = {name: folder / f"{name}.npy" for name in ("crops", "targets", "categories")}
    if not all(path.is_file() for path in arrays.values()):
        views = [_view(probe, run, flip=flip) for flip in (False, True)]
        made = {
            "crops": np.stack([np.concatenate([crops for crops, _, _ in view]) for view in views]),
            "targets": np.stack([np.concatenate([targets for _, targets, _ in view]) for view in views]),
            "categories": np.concatenate([categories for _, _, categories in views[0]]),
        }
        for name, path in arrays.items():  # the ids last: with them the cache is whole
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, made[name])
    loaded = {name: np.load(path, mmap_mode="r" if name != "categories" else None) for name, path in arrays.items()}
    return CropCache(**loaded)


def _view(probe: Probe, run: RunDirectory, *, flip: bool) -> list[tuple[Any, Any, Any]]:
    """Return crops, targets and category ids of each training image."""
    dataset = _training_images(probe, run, flip=flip)
    ids = np.array(dataset.cat_ids)

    @torch.inference_mode()
    def of_image(place: int) -> tuple[Any, Any, Any]:
        data = probe.detector.data_preprocessor(pseudo_collate([dataset[place]]), False)
        instances = data["data_samples"][0].gt_instances
        boxes = getattr(instances.bboxes, "tensor", instances.bboxes).to(probe.device, torch.float32)
        chosen = torch.nonzero(instances.has_mask.to(probe.device)).flatten()
        crops = probe.crops(probe.detector.extract_feat(data["inputs"]), boxes[chosen])
        targets = soft_mask_targets(instances.masks, boxes[chosen], chosen, 2 * crops.shape[-1])
        labels = instances.labels.to(probe.device)[chosen].cpu().numpy()
        return crops.half().cpu().numpy(), targets.half().cpu().numpy(), ids[labels]

    found = []
    with progress("mirrored" if flip else "crops", total=len(dataset)) as bar:
        for parts in in_threads(of_image, range(len(dataset)), device=probe.device):
            found.append(parts)
            bar.advance()
    return found


def _training_images(probe: Probe, run: RunDirectory, *, flip: bool) -> Any:
    subset = run.dataset.train
    assert subset is not None, "checked when the detector was trained"  # noqa: S101
    resize = [step for step in probe.config.test_pipeline if step["type"] == "Resize"]
    mirror = [{"type": "RandomFlip", "prob": 1.0}] if flip else []
    coco = read_coco(subset.annotations, on_bad_boxes=run.dataset.on_bad_boxes)
    return DATASETS.build(
        {
            "type": "PartiallySupervisedDataset",
            "ann_file": str(subset.annotations),
            "data_prefix": {"img": str(subset.images)},
            "metainfo": {"classes": probe.classes},
            # All masks: each head is given those of its own source below.
            "seen_ids": sorted(int(category["id"]) for category in coco.categories),
            "filter_cfg": {"filter_empty_gt": True, "min_size": 8},
            "pipeline": [
                {"type": "LoadCheckedImage"},
                {"type": "LoadMaskSupervision"},
                *resize,
                *mirror,
                {"type": "PackMaskSupervision"},
            ],
        }
    )


def train_head(
    probe: Probe, cache: CropCache, category_ids: Sequence[int], *, seed: int, settings: ProbeSettings
) -> nn.Module:
    """Train a mask head on the crops of some categories; its start and its draws depend on the seed alone.

    Raises:
        UserError: No instance of them has a mask.
    """
    places = cache.of(category_ids)
    if not len(places):
        raise UserError("no training instance of the source has a mask", cure="leave the source out")
    with _BUILDING:  # with torch's one generator
        head, optimizer, schedulers = _untrained(probe, seed=seed, settings=settings)
    for iteration in range(settings.iterations):
        draw = np.random.default_rng(derived_seed(seed, "probe batch", iteration))
        chosen, views = draw.choice(places, settings.batch), draw.integers(0, 2, settings.batch)
        crops = torch.from_numpy(cache.crops[views, chosen]).to(probe.device, torch.float32)
        crops = crops.contiguous(memory_format=layout(probe.device))
        targets = torch.from_numpy(cache.targets[views, chosen]).to(probe.device, torch.float32)
        everyone = torch.ones(len(chosen), dtype=torch.bool, device=probe.device)
        optimizer.update_params(mask_cross_entropy(head(crops)[:, 0], targets, everyone))
        for scheduler in schedulers:
            scheduler.step()
    return head.eval()


def train_heads(
    probe: Probe, cache: CropCache, sources: Sequence[Sequence[int]], *, seed: int, settings: ProbeSettings
) -> Iterator[nn.Module]:
    """Yield a head for each source, its category ids; on CPU as many are trained at once as there are threads."""

    def of_source(category_ids: Sequence[int]) -> nn.Module:
        return train_head(probe, cache, category_ids, seed=seed, settings=settings)

    return in_threads(of_source, sources, device=probe.device)


def _untrained(probe: Probe, *, seed: int, settings: ProbeSettings) -> tuple[Any, Any, list[Any]]:
    """Return a new head, its optimizer and the schedule of its learning rate."""
    schedule = Config({name: probe.config[name] for name in ("max_iters", "param_scheduler", "optim_wrapper")})
    scale_schedule(schedule, settings.iterations)
    torch.manual_seed(derived_seed(seed, "probe head"))
    head: Any = MODELS.build(probe.config.model.roi_head.mask_head)
    head.init_weights()
    head = head.to(probe.device, memory_format=layout(probe.device)).train()
    optimizer = build_optim_wrapper(head, ConfigDict(schedule.optim_wrapper))
    schedulers = [
        PARAM_SCHEDULERS.build(item, default_args={"optimizer": optimizer}) for item in schedule.param_scheduler
    ]
    return head, optimizer, schedulers


def predict_heads(probe: Probe, run: RunDirectory, heads: Mapping[Path, nn.Module], *, detections: bool) -> None:
    """Predict the validation images with every head; features and boxes are computed once.

    Args:
        probe: The detector.
        run: Names the data set.
        heads: The folder ``predictions`` of each head's run, and the head.
        detections: Whether masks of detections are predicted too, not only those on ground-truth boxes.
    """
    from psis_bench.engine.probe_prediction import predict_with_heads

    val = run.dataset.val
    coco = read_coco(val.annotations, images=val.images, on_bad_boxes=run.dataset.on_bad_boxes)
    predict_with_heads(probe, coco, val.images, heads, detections=detections)
    for folder in heads:
        write_json(
            folder / "manifest.json",
            {
                "schema": 1,
                "complete": True,
                "images": len(coco.images),
                "parts": 1,
                "detection_free": not detections,
                "checkpoint_sha256": None,
                "annotations_sha256": coco.sha256,
                "probe": True,
            },
        )
