"""Whole runs: MMDetection's ops come first, and a tiny data set of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_data import TinyData

import psis_bench.models  # noqa: F401


@pytest.fixture
def tiny(tmp_path: Path) -> TinyData:
    """Eight training and four validation images; the test may change them."""
    return TinyData(tmp_path / "tiny")
