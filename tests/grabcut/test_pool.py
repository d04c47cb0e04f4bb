"""Processes that cut: the same masks for any number of them, and none is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from psis_bench.grabcut.cut import CutSettings, cut, cut_out
from psis_bench.grabcut.pool import GrabCutPool

SETTINGS = CutSettings(iterations=2, margin=0.5, least_margin=8, max_pixels=4000, least_background=0.05, rim=0.05)


def pictures() -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.integers(0, 256, (40 + 7 * i, 50, 3)).astype(np.uint8) for i in range(3)]


BOXES = np.array([[5, 5, 30, 30], [0, 0, 50, 40], [10.5, 3.2, 44.0, 39.9], [20, 20, 22, 22]])


def codes(processes: int) -> list[str]:
    pool = GrabCutPool(SETTINGS, processes=processes)
    tasks = [task for image in pictures() for task in pool.submit(image, BOXES)]
    found = [task.result() for task in tasks]
    assert 1 <= len(pool.process_ids) <= processes
    pool.close()
    assert not any(Path(f"/proc/{number}/exe").exists() for number in pool.process_ids)
    return found


def test_any_number_of_processes_gives_the_same_masks() -> None:
    one = codes(1)
    assert codes(3) == one
    here = []
    for image in pictures():
        for box in BOXES.tolist():
            placed = cut(cut_out(image, tuple(box), SETTINGS), SETTINGS)
            full = np.zeros(image.shape[:2], np.uint8, order="F")
            rows, columns = placed.mask.shape
            full[placed.y : placed.y + rows, placed.x : placed.x + columns] = placed.mask
            here.append(coco_mask.encode(full)["counts"].decode())
    assert one == here


def test_a_process_that_dies_is_an_error_and_no_wait() -> None:
    pool = GrabCutPool(SETTINGS, processes=1)
    (first,) = pool.submit(pictures()[0], BOXES[:1])
    first.result()
    os.kill(pool.process_ids[0], 9)
    (second,) = pool.submit(pictures()[0], BOXES[:1])
    with pytest.raises(RuntimeError, match="a GrabCut process ended with code -9"):
        second.result()
    pool.close()
