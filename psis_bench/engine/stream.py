"""Samples as a pure function of their position in training.

Which image comes at position p, and how it is augmented, depends on the seed and p alone: not on how
many workers load, nor on whether the run was stopped and resumed before. That is what makes a resumed
run end in the same weights, bit for bit.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATA_SAMPLERS, DATASETS
from mmengine.dist import get_dist_info
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler


def derived_seed(*parts: int | str) -> int:
    """Return a 32-bit seed that depends on every part, the same on every machine."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:4], "little")


@DATASETS.register_module()
class PositionStream(Dataset[dict[str, Any]]):
    """An endless shuffled stream over a data set, addressed by position.

    Position p is image ``order(epoch)[p mod n]`` with ``epoch = p // n``, augmented with generators
    seeded from (seed, p).

    Args:
        dataset: Config of the data set to draw from.
        seed: Seed of order and augmentation.
    """

    def __init__(self, *, dataset: dict[str, Any], seed: int) -> None:
        self.dataset = DATASETS.build(dataset)
        self.metainfo = self.dataset.metainfo
        self.seed = seed
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.dataset)

    def index_at(self, position: int) -> int:
        """Return the index of the image that comes at ``position``."""
        epoch, offset = divmod(position, len(self))
        if epoch != self._epoch:
            generator = np.random.default_rng(derived_seed(self.seed, "order", epoch))
            self._order, self._epoch = generator.permutation(len(self)), epoch
        return int(self._order[offset])

    def __getitem__(self, position: int) -> dict[str, Any]:
        seed = derived_seed(self.seed, "sample", position)
        # MMDetection's transforms draw from all three global generators.
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the generator that the transforms use
        torch.manual_seed(seed)
        sample: dict[str, Any] = self.dataset[self.index_at(position)]
        return sample


@DATA_SAMPLERS.register_module()
class PositionSampler(Sampler[int]):
    """Yields 0, 1, 2, ... without end; each of several processes takes every world-size-th position.

    Args:
        dataset: The stream; MMEngine asks for its length.
        seed: Not used; MMEngine gives it to every sampler.
    """

    def __init__(self, dataset: Any, seed: int | None = None) -> None:
        del seed
        self.size = len(dataset)
        self.rank, self.world_size = get_dist_info()
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        position = self.start * self.world_size + self.rank
        while True:
            yield position
            position += self.world_size

    def __len__(self) -> int:
        return self.size

    def skip(self, num_samples: int) -> None:
        """Start after ``num_samples`` samples of this process (MMEngine calls this when it resumes)."""
        self.start = num_samples
