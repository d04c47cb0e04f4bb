"""Other masks in the place of true ones, to show what depends on them; and whether two trainings ended alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask
from tiny_data import IDS, TinyData

if TYPE_CHECKING:
    from psis_bench.engine.checkpoints import Weights

Change = Callable[[dict[str, Any], tuple[int, int], np.random.Generator], None]


def random_masks(annotation: dict[str, Any], size: tuple[int, int], generator: np.random.Generator) -> None:
    """Put random masks, areas and fields that nobody knows in the place of the true ones."""
    height, width = size
    if generator.random() < 0.5:
        annotation["segmentation"] = [(generator.random(10) * min(size)).tolist()]
    else:
        rle = coco_mask.encode(np.asfortranarray(generator.integers(0, 2, (height, width)).astype(np.uint8)))
        annotation["segmentation"] = {"size": [height, width], "counts": rle["counts"].decode()}
    # MMDetection leaves out instances without area.
    annotation["area"] = float(generator.integers(0, 2) * generator.uniform(1, height * width))
    annotation["mask"] = annotation["segmentation"]
    annotation["keypoints"] = generator.integers(0, min(size), 51).tolist()


def no_masks(annotation: dict[str, Any], size: tuple[int, int], generator: np.random.Generator) -> None:
    """Take masks and areas away."""
    del annotation["segmentation"], annotation["area"]


def change_masks(tiny: TinyData, classes: tuple[str, ...], change: Change) -> None:
    """Change the masks of some classes in the training file; everything else stays."""
    original = json.loads(json.dumps(tiny.train))
    generator = np.random.default_rng(5)
    sizes = {image["id"]: (image["height"], image["width"]) for image in tiny.train["images"]}
    chosen = {IDS[name] for name in classes}
    for annotation in tiny.train["annotations"]:
        if annotation["category_id"] in chosen:
            change(annotation, sizes[annotation["image_id"]], generator)
    tiny.write()
    tiny.train = original


def same(one: Weights, other: Weights) -> bool:
    """Return whether two sets of weights are equal bit for bit."""
    import torch

    assert one.tensors.keys() == other.tensors.keys()
    return all(torch.equal(value, other.tensors[name]) for name, value in one.tensors.items())
