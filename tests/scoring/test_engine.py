from __future__ import annotations

import os

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from psis_bench.errors import UserError
from psis_bench.scoring import engine as engines


def test_hotcoco_is_not_used_after_a_fork(monkeypatch):
    monkeypatch.setattr(engines, "_process_of_hotcoco", os.getpid() + 1)
    assert not engines.hotcoco_is_usable("auto")
    with pytest.raises(UserError, match="forked"):
        engines.hotcoco_is_usable("hotcoco")


def test_pycocotools_takes_over_where_hotcoco_is_missing(monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    assert not engines.hotcoco_is_usable("auto")
    with pytest.raises(UserError, match="not installed; pip install"):
        engines.hotcoco_is_usable("hotcoco")


def test_boxes_around_masks_are_those_of_pycocotools(monkeypatch):
    random = np.random.default_rng(0)
    masks = [random.random(random.integers(1, 30, 2)) < random.choice([0.0, 0.05, 0.5, 1.0]) for _ in range(300)]
    rles = [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks]
    texts = [{**rle, "counts": rle["counts"].decode()} for rle in rles]
    expected = coco_mask.toBbox(rles)
    assert np.array_equal(engines.boxes_around(texts), expected)
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    assert np.array_equal(engines.boxes_around(texts), expected)
    assert engines.boxes_around([]).shape == (0, 4)
