"""How long a model takes for an image, stage by stage, and how large it is.

Every model is given the same work: images of one size, and masks on the same number of boxes in each, whatever it would
find there itself. Its detection, where it has one, is timed without the masks of what it finds. Without trained weights
the numbers that a network works on are random, which changes two times only: of what follows the network in detection,
since that depends on what is found, and of encoding, since masks would be ragged; blobs are encoded then.
"""

from __future__ import annotations

import contextlib
import platform
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from psis_bench.console import progress
from psis_bench.engine import images as _images  # noqa: F401 - registers LoadCheckedImage
from psis_bench.engine.checkpoints import load_weights
from psis_bench.engine.predict import Predictor, encoded, load_predictor
from psis_bench.models import registered  # noqa: F401 - supplies mmcv's operations

STAGES = ("load", "backbone", "detection", "mask_head", "encode")
"""In the order in which an image goes through them; a model without a detector has no ``detection``."""

_PERCENTILES = {"p10": 10, "median": 50, "p90": 90, "p99": 99}
_PACKAGES = ("torch", "torchvision", "onedl-mmdetection", "numpy")


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is to be timed.

    Attributes:
        batches: Images that go through the network together, one measurement each.
        images: Images that are measured at each of them, rounded up to whole batches.
        warm_up: Batches before that which do not count.
        boxes: Boxes of each image on which masks are predicted.
        size: Width and height of the images in pixels.
    """

    batches: tuple[int, ...] = (1, 4)
    images: int = 20
    warm_up: int = 3
    boxes: int = 100
    size: tuple[int, int] = (640, 480)


def time_model(config: Config, *, weights: Path | None, device: torch.device, work: Work) -> dict[str, Any]:
    """Measure a model.

    Args:
        config: From `psis_bench.models.compose.compose_run`.
        weights: Trained weights; None takes random ones.
        device: Where to compute.
        work: How much.

    Returns:
        What ``psis-bench time --json`` prints (docs/performance.md): times in milliseconds an image, sizes in bytes.

    Raises:
        UserError: The weights are missing, damaged, or of another model.
    """
    predictor = _predictor(config, weights, device)
    with TemporaryDirectory() as folder:
        timing = _Timing(predictor, _images_in(Path(folder), work.size), config.test_pipeline, work, bool(weights))
        total = sum(work.warm_up + -(-work.images // batch) for batch in work.batches)
        with progress("time", total=total) as bar, torch.inference_mode():
            measured = [timing.measure(batch, bar.advance) for batch in work.batches]
        sizes = {"parameters": _parameters(predictor.model), "multiply_adds": timing.multiply_adds()}
    return {
        "schema": 1,
        "device": _device_name(device),
        "threads": torch.get_num_threads(),
        "weights": "trained" if weights else "random",
        "image": list(work.size),
        "boxes": work.boxes,
        "warm_up_batches": work.warm_up,
        "has_detector": predictor.has_detector,
        "measured": measured,
        **sizes,
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in _PACKAGES}},
    }


@dataclass
class _Timing:
    predictor: Predictor
    paths: list[Path]
    pipeline: list[dict[str, Any]]
    work: Work
    trained: bool

    def __post_init__(self) -> None:
        self.load = TRANSFORMS.build({"type": "Compose", "transforms": self.pipeline})
        self.boxes = _boxes(self.work.boxes, self.work.size).to(self.predictor.device)

    def measure(self, batch: int, advance: Callable[[], None]) -> dict[str, Any]:
        """Return the times of one batch size, and the peak of the memory."""
        _forget_peak(self.predictor.device)
        for _ in range(self.work.warm_up):
            self.once(batch)
            advance()
        rows = []
        for _ in range(-(-self.work.images // batch)):
            rows.append(self.once(batch))
            advance()
        names = [name for name in STAGES if self.predictor.has_detector or name != "detection"]
        stages = {name: _summary([row[name] * 1e3 / batch for row in rows]) for name in names}
        whole = _summary([sum(row[name] for name in names) * 1e3 / batch for row in rows])
        return {
            "batch": batch,
            "images": batch * len(rows),
            "stages": stages,
            "end_to_end": whole,
            "images_per_second": 1e3 / whole["mean"],
            "peak_memory": _peak(self.predictor.device),
        }

    def once(self, batch: int) -> dict[str, float]:
        """Send a batch through; return the seconds of each stage."""
        model, device = self.predictor.model, self.predictor.device
        marks = [_now(device)]
        samples = [self.load(self._request(place)) for place in range(batch)]
        marks.append(_now(device))
        data = model.data_preprocessor(pseudo_collate(samples), False)
        features = model.extract_feat(data["inputs"])
        marks.append(_now(device))
        if self.predictor.has_detector:
            with without_masks(model):
                model.detect(features, data["data_samples"])
        marks.append(_now(device))
        crops = model.masks_on_boxes(features, data["data_samples"], [self.boxes] * batch)
        marks.append(_now(device))
        for found in crops:
            shown = found if self.trained else _blobs(found)
            list(encoded(shown, self.boxes, self._request(0), grid=self.predictor.mask_grid))
        marks.append(_now(device))
        return dict(zip(STAGES, np.diff(marks).tolist(), strict=True))

    def multiply_adds(self) -> dict[str, int]:
        """Return the multiply-adds of convolutions and matrix products for one image, by stage."""
        model = self.predictor.model
        found: dict[str, int] = {}

        @contextlib.contextmanager
        def counted(name: str) -> Iterator[None]:
            with FlopCounterMode(display=False) as counter:
                yield
            found[name] = counter.get_total_flops() // 2

        with torch.no_grad():
            data = model.data_preprocessor(pseudo_collate([self.load(self._request(0))]), False)
            with counted("backbone"):
                features = model.extract_feat(data["inputs"])
            if self.predictor.has_detector:
                with counted("detection"), without_masks(model):
                    model.detect(features, data["data_samples"])
            with counted("mask_head"):
                model.masks_on_boxes(features, data["data_samples"], [self.boxes])
        return {**found, "all": sum(found.values())}

    def _request(self, place: int) -> dict[str, Any]:
        width, height = self.work.size
        path = self.paths[place % len(self.paths)]
        return {"img_path": str(path), "img_id": place, "height": height, "width": width}


@contextlib.contextmanager
def without_masks(model: Any) -> Iterator[None]:
    """Let a model detect without predicting the masks of what it finds.

    Where a model predicts them is known of those with an RoI head and of those of `CropThenSegment`; for others the
    detection includes its masks.
    """
    head = getattr(model, "roi_head", None)
    stand_in: Callable[..., Any]
    if head is not None and hasattr(head, "predict_mask"):
        owner, name, stand_in = head, "predict_mask", _no_masks
    elif hasattr(model, "crops_of_input_boxes"):
        owner, name, stand_in = model, "crops_of_input_boxes", _no_crops
    else:
        yield
        return
    setattr(owner, name, stand_in)  # on the object, where it hides the method of the class
    try:
        yield
    finally:
        delattr(owner, name)


def _no_masks(features: Any, metas: Any, results_list: list[InstanceData], **_: Any) -> list[InstanceData]:
    for results in results_list:
        results.mask_crops = results.bboxes.new_zeros((len(results), 1, 1))
    return results_list


def _no_crops(features: Any, boxes: list[Tensor]) -> list[Tensor]:
    return [box.new_zeros((len(box), 1, 1)) for box in boxes]


def _predictor(config: Config, weights: Path | None, device: torch.device) -> Predictor:
    if weights is not None:
        return load_predictor(config, load_weights(weights), device=device, where=str(weights))
    torch.manual_seed(0)
    model: Any = MODELS.build(config.model).to(device).eval()
    if device.type == "cpu":
        model = model.to(memory_format=torch.channels_last)
    return Predictor(model=model, device=device, category_ids=[])


def _images_in(folder: Path, size: tuple[int, int], count: int = 8) -> list[Path]:
    """Write JPEG files that are as much work to decode as photographs: coarse shapes with fine noise on them."""
    import cv2

    draw = np.random.default_rng(0)
    paths = [folder / f"{place}.jpg" for place in range(count)]
    for path in paths:
        coarse = cv2.resize(draw.uniform(0, 255, (12, 16, 3)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(path), (coarse + draw.normal(0, 8, coarse.shape)).clip(0, 255).astype(np.uint8))
    return paths


def _boxes(count: int, size: tuple[int, int]) -> Tensor:
    """Return boxes (count, 4) xyxy with sides like those of COCO's objects: median about an eighth of the image's."""
    draw = np.random.default_rng(0)
    sides = np.clip(np.exp(draw.normal(np.log(0.13), 0.9, (count, 2))), 0.01, 1) * size
    corner = draw.uniform(0, 1, (count, 2)) * (np.array(size) - sides)
    return torch.from_numpy(np.concatenate([corner, corner + sides], axis=1).astype(np.float32))


def _blobs(crops: Tensor) -> Tensor:
    """Return an ellipse for each crop (N, S, S)."""
    place = torch.linspace(-1, 1, crops.shape[-1], device=crops.device)
    ellipse = torch.sigmoid(8 * (0.85 - torch.hypot(place[:, None], place[None, :])))
    return ellipse.expand(len(crops), -1, -1)


def _parameters(model: Any) -> dict[str, int]:
    """Count parameters: of the whole model, and of each of its parts."""
    parts = {name: sum(value.numel() for value in part.parameters()) for name, part in model.named_children()}
    return {**{name: count for name, count in parts.items() if count}, "all": sum(parts.values())}


def _summary(values: Sequence[float]) -> dict[str, float]:
    found = np.percentile(values, list(_PERCENTILES.values())).tolist()
    return {"mean": float(np.mean(values)), **dict(zip(_PERCENTILES, found, strict=True))}


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0] if named else platform.machine()} ({device.type})"


def _forget_peak(device: torch.device) -> None:
    """Let the peak of the memory start anew, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak(device: torch.device) -> int:
    """Return the most memory in bytes since `_forget_peak`: of tensors on a GPU, of the process on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
