from __future__ import annotations

import os

import pytest

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
