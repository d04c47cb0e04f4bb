"""A run directory made by hand to the schemas of its files: drawn pictures, 80 classes, masks of uneven quality.

`make_fake_run` imports nothing of psis_bench but the split, so that the report is held against the file formats and
not against the code that writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pycocotools import mask as coco_mask

from psis_bench.splits import SplitProtocol, get_split
from psis_bench.splits.categories import COCO_CATEGORIES

HEIGHT, WIDTH = 192, 256


@dataclass
class FakeRun:
    """Where the files of a fake run lie."""

    directory: Path
    annotations: Path
    images: Path
    split: SplitProtocol
    boxes: dict[int, list[float]] = field(default_factory=dict)

    def build(self) -> str:
        """Build the report and return its HTML."""
        from psis_bench.report.build import build_report

        page = build_report(self.directory, annotations=self.annotations, images=self.images, split=self.split)
        assert page == self.directory / "report.html"
        return page.read_text(encoding="utf-8")

    def edit_json(self, name: str, **changes: Any) -> None:
        path = self.directory / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _shape(rng: np.random.Generator, category: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return a mask (H, W) of a star whose number of points depends on the class, and its centre."""
    size = float(np.exp(rng.uniform(np.log(10), np.log(70))))
    centre = (int(rng.uniform(20, WIDTH - 20)), int(rng.uniform(20, HEIGHT - 20)))
    points = 3 + category % 7
    angles = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False) + rng.uniform(0, 6)
    radii = np.where(np.arange(2 * points) % 2, size * rng.uniform(0.35, 0.9), size)
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None] + centre
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
    return mask, centre


def _ellipse(x: float, y: float, w: float, h: float) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return (((columns - x - w / 2) / (w / 2)) ** 2 + ((rows - y - h / 2) / (h / 2)) ** 2 <= 1).astype(np.uint8)


def _box_mask(x: float, y: float, w: float, h: float) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[int(y) : int(y + h), int(x) : int(x + w)] = 1
    return mask


def _predict(rng: np.random.Generator, mask: np.ndarray, box: np.ndarray, noise: float) -> np.ndarray:
    """Return the mask pushed about by a smooth random field: the larger ``noise``, the worse."""
    field_xy = cv2.resize(rng.normal(size=(24, 32, 2)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    field_xy *= noise * np.sqrt(max(mask.sum(), 1))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    moved = cv2.remap(
        mask,
        columns + field_xy[..., 0].astype(np.float32),
        rows + field_xy[..., 1].astype(np.float32),
        cv2.INTER_NEAREST,
    )
    return moved * box


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.logical_and(a, b).sum() / max(np.logical_or(a, b).sum(), 1))


def _rle(mask: np.ndarray) -> str:
    return str(coco_mask.encode(np.asfortranarray(mask))["counts"].decode())


def _draw_image(rng: np.random.Generator) -> np.ndarray:
    base = cv2.resize(rng.integers(40, 215, (6, 8, 3)).astype(np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(base + rng.normal(0, 12, base.shape), 0, 255).astype(np.uint8)


def make_fake_run(
    root: Path,
    *,
    images: int = 24,
    names: dict[int, str] | None = None,
    split: SplitProtocol | None = None,
    detections: bool = True,
    seed: int = 0,
) -> FakeRun:
    """Write a data set and a run directory under ``root``.

    Args:
        root: An empty folder.
        images: How many pictures.
        names: Categories; the 80 of COCO unless given.
        split: ``voc2nonvoc`` unless given.
        detections: Whether ``scores.json`` has AP.
        seed: Of everything.
    """
    names, split = names or COCO_CATEGORIES, split or get_split("voc2nonvoc")
    rng = np.random.default_rng(seed)
    folder, run = root / "val", root / "runs" / "fake"
    folder.mkdir(parents=True)
    (run / "predictions" / "gt_box_masks").mkdir(parents=True)
    (run / "stages").mkdir()
    annotations: list[dict[str, Any]] = []
    records, masks, rows = [], [], []
    ids = sorted(names)
    for image_id in range(1, images + 1):
        picture = _draw_image(rng)
        for _ in range(6):
            category = ids[len(annotations) % len(ids)] if len(annotations) < 2 * len(ids) else int(rng.choice(ids))
            mask, _ = _shape(rng, category)
            x, y, w, h = (float(v) for v in cv2.boundingRect(mask))
            if mask.sum() < 20:
                continue
            texture = rng.integers(0, 255, 3) + cv2.resize(rng.normal(0, 22, (48, 64)), (WIDTH, HEIGHT))[..., None]
            picture = np.where(mask[..., None] > 0, np.clip(texture, 0, 255), picture).astype(np.uint8)
            seen = names[category] in split.seen
            noise = rng.gamma(2.0, 0.035 if seen else 0.055)
            box = _box_mask(x, y, w, h)
            prediction = _predict(rng, mask, box, noise)
            annotation_id = 1000 + len(annotations)
            annotations.append(
                {"id": annotation_id, "image_id": image_id, "category_id": category, "bbox": [x, y, w, h], "iscrowd": 0,
                 "area": float(mask.sum()), "segmentation": {"size": [HEIGHT, WIDTH], "counts": _rle(mask)}}
            )  # fmt: skip
            masks.append((image_id, annotation_id, category, HEIGHT, WIDTH, _rle(prediction)))
            rows.append(
                (image_id, annotation_id, category, float(mask.sum()), _iou(mask, prediction), _iou(mask, box),
                 _iou(mask, _ellipse(x, y, w, h)))
            )  # fmt: skip
        name = f"{image_id:06d}.jpg"
        cv2.imwrite(str(folder / name), picture)
        records.append({"id": image_id, "file_name": name, "height": HEIGHT, "width": WIDTH})
    file = root / "instances_val.json"
    categories = [{"id": key, "name": value} for key, value in names.items()]
    file.write_text(json.dumps({"images": records, "annotations": annotations, "categories": categories}))
    instances = pd.DataFrame(
        rows, columns=["image_id", "annotation_id", "category_id", "area", "iou", "full_box_iou", "ellipse_iou"]
    )
    instances.to_parquet(run / "per_instance.parquet")
    _write_masks(run / "predictions" / "gt_box_masks", masks)
    if detections:
        _write_detections(run / "predictions" / "detections", masks, annotations, rng)
    _write_scores(run, instances, names=names, split=split, file=file, images=images, detections=detections, rng=rng)
    _write_run(run, split=split, rng=rng, images=images, detections=detections)
    boxes = {a["id"]: a["bbox"] for a in annotations}
    return FakeRun(directory=run, annotations=file, images=folder, split=split, boxes=boxes)


def _write_masks(folder: Path, masks: list[tuple[Any, ...]]) -> None:
    schema = pa.schema(
        [("image_id", pa.int64()), ("annotation_id", pa.int64()), ("category_id", pa.int64()),
         ("height", pa.int32()), ("width", pa.int32()), ("mask", pa.string())]
    )  # fmt: skip
    half = len(masks) // 2
    for index, part in enumerate((masks[:half], masks[half:])):
        columns = list(zip(*part, strict=True)) if part else [[] for _ in schema]
        pq.write_table(pa.table([list(c) for c in columns], schema=schema), folder / f"part-{index:05d}.parquet")


def _write_detections(
    folder: Path, masks: list[tuple[Any, ...]], annotations: list[dict[str, Any]], rng: np.random.Generator
) -> None:
    schema = pa.schema(
        [("image_id", pa.int64()), ("category_id", pa.int64()), ("score", pa.float64()),
         ("bbox", pa.list_(pa.float64(), 4)), ("height", pa.int32()), ("width", pa.int32()), ("mask", pa.string())]
    )  # fmt: skip
    rows = [
        {"image_id": mask[0], "category_id": mask[2], "score": float(rng.uniform()), "bbox": annotation["bbox"],
         "height": HEIGHT, "width": WIDTH, "mask": mask[5] if index % 10 else None}
        for index, (mask, annotation) in enumerate(zip(masks, annotations, strict=True))
    ]  # fmt: skip
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "part-00000.parquet")


def _group(split: SplitProtocol, name: str) -> str:
    return "seen" if name in split.seen else "unseen" if name in split.unseen else "other"


def _write_scores(
    run: Path, instances: pd.DataFrame, *, names: dict[int, str], split: SplitProtocol, file: Path, images: int,
    detections: bool, rng: np.random.Generator,
) -> None:  # fmt: skip
    means = instances.groupby("category_id")[["iou", "full_box_iou", "ellipse_iou"]].mean()
    counts = instances["category_id"].value_counts()
    table = pd.DataFrame(
        {
            "category_id": list(names),
            "name": list(names.values()),
            "group": [_group(split, name) for name in names.values()],
            "instances": [int(counts.get(key, 0)) for key in names],
            "box_AP": rng.uniform(0.2, 0.6, len(names)) if detections else np.nan,
            "mask_AP": rng.uniform(0.1, 0.5, len(names)) if detections else np.nan,
            "gt_box_miou": [means["iou"].get(key, np.nan) for key in names],
            "full_box_miou": [means["full_box_iou"].get(key, np.nan) for key in names],
            "ellipse_miou": [means["ellipse_iou"].get(key, np.nan) for key in names],
        }
    )
    table.to_csv(run / "per_class.csv", index=False)
    groups = {}
    for group in ("all", "seen", "unseen"):
        classes = table if group == "all" else table[table["group"] == group]
        if classes.empty:
            continue
        own = instances[instances["category_id"].isin(classes["category_id"])]

        def pair(column: str, per_class: str, classes: pd.DataFrame = classes, own: pd.DataFrame = own) -> Any:
            return {"class_mean": float(classes[per_class].mean()), "instance_mean": float(own[column].mean())}

        ap = {"AP": 0.312, "AP50": 0.521, "AP75": 0.333, "APs": 0.121, "APm": 0.34, "APl": None, "AR100": 0.44}
        groups[group] = {
            "classes": len(classes), "instances": len(own), "box": ap if detections else None,
            "mask": ap if detections else None, "gt_box_miou": pair("iou", "gt_box_miou"),
            "full_box": pair("full_box_iou", "full_box_miou"), "ellipse": pair("ellipse_iou", "ellipse_miou"),
        }  # fmt: skip
    scores = {
        "schema": 1,
        "split": {"name": split.name, "version": split.version, "hash": split.hash()},
        "dataset": {
            "annotations_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "images": images, "instances": len(instances),
        },
        "groups": groups,
        "notes": [] if detections else ["detection AP left out: the model has no detector"],
    }  # fmt: skip
    (run / "scores.json").write_text(json.dumps(scores))


def _write_run(run: Path, *, split: SplitProtocol, rng: np.random.Generator, images: int, detections: bool) -> None:
    config = {
        "split": split.name, "model": "deep_marc/small" if detections else "detection_free/small",
        "mask_head": "hourglass_20", "crop_source": "gt" if detections else None,
        "data": {"name": "synthetic", "root": None}, "schedule": None, "iterations": 1500, "seed": 3, "device": "cpu",
        "workers": 1, "threads": 0, "out": None, "overwrite": "none",
        "mm": {"optim_wrapper.optimizer.lr": 0.01, "+custom.note": "a b"},
    }  # fmt: skip
    (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    lines = []
    for iteration in range(10, 1501, 10):
        decay = float(np.exp(-iteration / 400))
        terms = {
            "loss_mask": 0.25 + 0.45 * decay, "loss_cls": 0.3 + 0.9 * decay, "loss_bbox": 0.2 + 0.4 * decay,
            "loss_rpn_cls": 0.06 + 0.5 * decay, "loss_rpn_bbox": 0.05 + 0.1 * decay,
        }  # fmt: skip
        terms = {key: value * float(rng.uniform(0.9, 1.1)) for key, value in terms.items()}
        terms["loss"] = sum(terms.values())
        rate = 0.02 * min(iteration / 200, 1.0) * (0.1 if iteration > 1200 else 1.0)
        lines.append(json.dumps({"iteration": iteration, **terms, "lr": rate, "seconds": 0.1 * iteration}))
    (run / "train_log.jsonl").write_text("\n".join(lines) + "\n")
    manifest = {
        "schema": 1, "complete": True, "images": images, "parts": 2, "detection_free": not detections,
        "checkpoint_sha256": "ab" * 32, "annotations_sha256": "cd" * 32, "score_threshold": 0.05,
    }  # fmt: skip
    (run / "predictions" / "manifest.json").write_text(json.dumps(manifest))
    for stage, seconds in {"train": 252.3, "predict": 31.4, "score": 0.42}.items():
        (run / "stages" / f"{stage}.json").write_text(
            json.dumps({"inputs": "00", "finished": "2026-01-02T03:04:05", "seconds": seconds})
        )


@pytest.fixture(scope="session")
def fake_run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    """A whole run, shared by tests that must not change it."""
    return make_fake_run(tmp_path_factory.mktemp("report"))


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., FakeRun]:
    """`make_fake_run` in a folder of the test."""
    return partial(make_fake_run, tmp_path / "made")
