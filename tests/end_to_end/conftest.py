"""Whole runs: MMDetection's ops come first, and a tiny data set of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from tiny_data import TinyData

import psis_bench.models  # noqa: F401


@pytest.fixture
def tiny(tmp_path: Path) -> TinyData:
    """Eight training and four validation images; the test may change them."""
    return TinyData(tmp_path / "tiny")


@pytest.fixture(autouse=True)
def plain_config_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave MMEngine's configs unformatted: a run has four of them formatted, which takes longer than to train."""
    monkeypatch.setattr(Config, "pretty_text", property(lambda self: repr(self.to_dict())))
