"""Instances that are made up, for scored folders of `scored_folders`."""

from __future__ import annotations

import numpy as np
import pytest
from scored_folders import NAMES


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, categories and IoUs of 1,500 instances in 300 images."""
    random = np.random.default_rng(0)
    images = np.sort(random.integers(0, 300, 1500))
    return images, random.choice(list(NAMES), 1500), random.beta(6, 3, 1500)
