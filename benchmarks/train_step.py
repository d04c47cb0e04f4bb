"""One training step and one image of the models of full size, beside torchvision's Mask R-CNN, in one run.

Milliseconds and memory of a step (forward, losses, backward, SGD) in bfloat16 (autocast) of Deep-MARC R50 with HG-20,
Deep-MAC Hourglass-104 with HG-20, and torchvision's Mask R-CNN R50 at the same image size, with the same random images,
boxes and masks; then milliseconds an image of the two best models of Table 8, beside the paper's 232 and 170 ms on a
V100: forward, 100 detections, and their masks pasted and encoded. Weights are random, so nothing is learned or found;
the cost does not depend on it, but for the number of detections, which is made 100 by a score threshold of zero.

    python benchmarks/train_step.py                                       # CUDA: 1024 pixels, 2 images
    python benchmarks/train_step.py device=cpu size=128 batch=1 steps=1   # to try it

Median of ``steps`` after one that warms up. Memory is what CUDA's allocator held at most; on a CPU it is left out.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from psis_bench import console  # noqa: E402
from psis_bench.commands.arguments import read_arguments  # noqa: E402
from psis_bench.models import registered  # noqa: E402, F401
from psis_bench.models.compose import compose_model  # noqa: E402
from psis_bench.splits.categories import COCO_NAMES  # noqa: E402

TRAINED = (("deep_marc/r50", "hourglass20"), ("deep_mac/hg104", "hourglass20"))
# Paper, Table 8: milliseconds an image on a V100, and the side of its images.
SHOWN = (("deep_mac/hg104_1024", "hourglass100", 232, 1024), ("deep_marc/spinenet143", "hourglass52", 170, 1280))
CLASSES = COCO_NAMES


class Batch:
    """Random images with boxes and elliptic masks.

    Args:
        images: Number of images.
        side: Their sides in pixels.
        boxes: Boxes an image.
        device: Where the images are.
    """

    def __init__(self, *, images: int, side: int, boxes: int, device: torch.device) -> None:
        generator = np.random.default_rng(0)
        self.side = side
        self.pixels = torch.from_numpy(generator.integers(0, 256, (images, 3, side, side)).astype(np.uint8)).to(device)
        sizes = generator.integers(side // 16, side // 3, (images, boxes, 2))
        corners = (generator.random((images, boxes, 2)) * (side - sizes)).astype(int)
        self.boxes = np.concatenate([corners, corners + sizes], axis=2).astype(np.float32)
        self.labels = generator.integers(0, len(CLASSES), (images, boxes))
        rows, columns = np.mgrid[:side, :side]
        x1, y1, x2, y2 = (self.boxes[..., place][..., None, None] for place in range(4))
        across, down = (columns - (x1 + x2) / 2) / (x2 - x1), (rows - (y1 + y2) / 2) / (y2 - y1)
        self.masks = (across**2 + down**2 < 0.25).astype(np.uint8)

    def mmdet_samples(self) -> list[Any]:
        """Return MMDetection's data samples; half of the instances have masks."""
        from mmdet.structures import DetDataSample
        from mmdet.structures.mask import BitmapMasks
        from mmengine.structures import InstanceData

        samples = []
        for boxes, labels, masks in zip(self.boxes, self.labels, self.masks, strict=True):
            sample = DetDataSample()
            sample.gt_instances = InstanceData(
                bboxes=torch.from_numpy(boxes),
                labels=torch.from_numpy(labels),
                masks=BitmapMasks(masks, self.side, self.side),
                has_mask=torch.arange(len(labels)) % 2 == 0,
            )
            shape = {"img_shape": (self.side, self.side), "ori_shape": (self.side, self.side)}
            sample.set_metainfo(
                {**shape, "scale_factor": (1.0, 1.0), "img_id": 0, "batch_input_shape": shape["img_shape"]}
            )
            samples.append(sample)
        return samples

    def torchvision_targets(self) -> list[dict[str, torch.Tensor]]:
        """Return torchvision's targets: the same boxes, all with masks."""
        return [
            {
                "boxes": torch.from_numpy(boxes).to(self.pixels.device),
                "labels": torch.from_numpy(labels + 1).to(self.pixels.device),
                "masks": torch.from_numpy(masks).to(self.pixels.device),
            }
            for boxes, labels, masks in zip(self.boxes, self.labels, self.masks, strict=True)
        ]


def build(model: str, mask_head: str, side: int, device: torch.device) -> Any:
    """Build a model of this package for one process, with random weights."""
    from mmdet.registry import MODELS

    config = compose_model(
        model=model, mask_head=mask_head, crop_source=None, schedule=None, iterations=None, classes=CLASSES
    )
    if "roi_head" in config.model:
        config.model.test_cfg.rcnn.score_thr = 0.0
    config.model.backbone.init_cfg = None
    preprocessor = config.model.data_preprocessor
    preprocessor.pad_size_divisor = min(preprocessor.pad_size_divisor, side)
    return MODELS.build(config.model).to(device)


def train_step(model: str, mask_head: str, batch: Batch) -> Callable[[], None]:
    """Return a function that makes one training step of a model of this package."""
    network = build(model, mask_head, batch.side, batch.pixels.device).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-5, momentum=0.9)

    def step() -> None:
        data = network.data_preprocessor({"inputs": list(batch.pixels), "data_samples": batch.mmdet_samples()}, True)
        with torch.autocast(batch.pixels.device.type, torch.bfloat16):
            total, _ = network.parse_losses(network.loss(data["inputs"], data["data_samples"]))
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()

    return step


def torchvision_step(batch: Batch) -> Callable[[], None]:
    """Return a function that makes one training step of torchvision's Mask R-CNN R50."""
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    side = {"min_size": batch.side, "max_size": batch.side}
    network = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=len(CLASSES) + 1, **side)
    network = network.to(batch.pixels.device).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-5, momentum=0.9)
    images, targets = list(batch.pixels.float() / 255), batch.torchvision_targets()

    def step() -> None:
        with torch.autocast(batch.pixels.device.type, torch.bfloat16):
            total = sum(network(images, targets).values())
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()

    return step


def inference(model: str, mask_head: str, batch: Batch) -> Callable[[], int]:
    """Return a function that predicts one image and returns its number of detections."""
    from psis_bench.engine.predict import encoded

    network = build(model, mask_head, batch.side, batch.pixels.device).eval()
    samples = batch.mmdet_samples()[:1]

    @torch.inference_mode()
    def predict() -> int:
        data = network.data_preprocessor({"inputs": list(batch.pixels[:1]), "data_samples": samples}, False)
        with torch.autocast(batch.pixels.device.type, torch.bfloat16):
            found = network.detect(network.extract_feat(data["inputs"]), data["data_samples"])[0]
        record = {"height": batch.side, "width": batch.side}
        grid = getattr(network, "mask_grid", "cells")
        return len(list(encoded(found.mask_crops, found.bboxes.float(), record, grid=grid)))

    return predict


def timed(make: Callable[[], Callable[[], Any]], steps: int, device: torch.device) -> tuple[str, str, Any]:
    """Return the median milliseconds with their range, the peak memory, and what the last call returned."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    action = make()
    seconds, result = [], action()
    for _ in range(steps):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        result = action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(1000 * (time.perf_counter() - started))
    peak = f"{torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB" if device.type == "cuda" else "-"
    return f"{statistics.median(seconds):.1f} ({min(seconds):.1f}-{max(seconds):.1f})", peak, result


def main() -> None:
    """Measure and print both tables."""
    keys = ("device", "size", "batch", "boxes", "steps", "threads")
    _, given = read_arguments(sys.argv[1:], keys)
    device = torch.device(given.get("device", "cuda" if torch.cuda.is_available() else "cpu"))
    torch.set_num_threads(int(given.get("threads", 1)))
    steps, images = int(given.get("steps", 10)), int(given.get("batch", 2))
    boxes = int(given.get("boxes", 10))
    torch.manual_seed(0)

    def batch(side: int) -> Batch:
        return Batch(images=images, side=int(given.get("size", side)), boxes=boxes, device=device)

    def show(line: str) -> None:
        console.out.print(line, soft_wrap=True, markup=False)

    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    show(f"torch {torch.__version__}; {where}; bfloat16 autocast; {images} images, {boxes} boxes each")
    data = batch(1024)
    show(f"training step at {data.side} x {data.side}: median ms (range), peak memory")
    rows: list[tuple[str, Callable[[], Callable[[], Any]]]] = [
        (f"{model}, {head}", lambda model=model, head=head: train_step(model, head, data)) for model, head in TRAINED
    ]
    for name, make in [*rows, ("torchvision Mask R-CNN R50", lambda: torchvision_step(data))]:
        milliseconds, memory, _ = timed(make, steps, device)
        show(f"  {name:<40} {milliseconds:>28}  {memory}")
    show("one image: median ms (range), peak memory, detections, milliseconds in the paper (V100)")
    for model, head, printed, side in SHOWN:
        data = batch(side)
        milliseconds, memory, found = timed(
            lambda model=model, head=head, data=data: inference(model, head, data), steps, device
        )
        show(f"  {model + ', ' + head:<40} {milliseconds:>28}  {memory}  {found}  {printed} at {side}")


if __name__ == "__main__":
    main()
