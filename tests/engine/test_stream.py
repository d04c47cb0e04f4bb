"""Samples depend on their position in training alone: not on workers, nor on where a run was stopped."""

from __future__ import annotations

import itertools
import random
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from psis_bench.engine import stream
from psis_bench.engine.stream import PositionSampler, PositionStream, derived_seed

IMAGES = 7


class Draws(Dataset[dict[str, Any]]):
    """Each sample is its index and one number from each of the three generators that transforms draw from."""

    metainfo: ClassVar[dict[str, Any]] = {}

    def __len__(self) -> int:
        return IMAGES

    def __getitem__(self, index: int) -> tuple[int, float, float, float]:
        return index, random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002


def positions(seed: int = 0) -> PositionStream:
    return PositionStream(dataset={"type": Draws}, seed=seed)


def first_batches(count: int, *, workers: int, skip: int = 0) -> list[Any]:
    """Return batches of two from a loader whose sampler skipped some samples."""
    data = positions()
    sampler = PositionSampler(data)
    sampler.skip(skip)
    random.seed(workers)
    torch.manual_seed(workers)
    loader = DataLoader(data, batch_size=2, sampler=sampler, num_workers=workers, collate_fn=list)
    return list(itertools.islice(loader, count))


def test_the_same_samples_with_any_number_of_workers() -> None:
    assert first_batches(9, workers=0) == first_batches(9, workers=2)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_same_samples_after_a_resume(workers: int) -> None:
    whole = first_batches(12, workers=0)
    assert first_batches(5, workers=workers, skip=14) == whole[7:]


def test_every_image_comes_once_in_an_epoch() -> None:
    data = positions()
    epochs = [[data.index_at(epoch * IMAGES + place) for place in range(IMAGES)] for epoch in range(4)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(IMAGES))
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert [data.index_at(place) for place in range(IMAGES)] == epochs[0]  # going back is no problem


def test_order_and_augmentation_follow_the_seed() -> None:
    samples = [[positions(seed)[place] for place in range(3 * IMAGES)] for seed in (0, 0, 1)]
    assert samples[0] == samples[1]
    assert [sample[0] for sample in samples[0]] != [sample[0] for sample in samples[2]]
    # The same image is augmented otherwise each time it comes.
    assert len({sample[1:] for sample in samples[0]}) == 3 * IMAGES


def test_several_processes_share_the_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for rank in range(3):
        monkeypatch.setattr(stream, "get_dist_info", lambda rank=rank: (rank, 3))
        sampler = PositionSampler(range(IMAGES))
        taken.append(list(itertools.islice(sampler, 6)))
        sampler.skip(4)
        assert list(itertools.islice(sampler, 2)) == taken[-1][4:]
    assert sorted(itertools.chain(*taken)) == list(range(18))


def test_derived_seeds() -> None:
    # The first four bytes of sha256("0/order/1"), little-endian: the same on every machine and for all time.
    assert derived_seed(0, "order", 1) == 0x45839B7C
    assert len({derived_seed(seed, "sample", place) for seed in range(30) for place in range(30)}) == 900
