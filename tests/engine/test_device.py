"""Choosing a device, and the number of threads."""

from __future__ import annotations

import os

import pytest
import torch

from psis_bench.engine.device import use_device
from psis_bench.errors import UserError


@pytest.fixture(autouse=True)
def threads() -> object:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_threads() -> None:
    use_device("cpu", 3)
    assert torch.get_num_threads() == 3
    use_device("cpu", 0)
    assert torch.get_num_threads() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("count", [0, 2])
def test_auto_takes_cuda_where_it_is(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert use_device("auto", 1).type == ("cuda" if count else "cpu")
    assert use_device("cpu", 1).type == "cpu"


def test_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device is usable here; use device=cpu"):
        use_device("cuda:1", 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert use_device("cuda:1", 1) == torch.device("cuda:1")
    with pytest.raises(UserError, match="there is no cuda:2: 2 CUDA devices, counted from 0"):
        use_device("cuda:2", 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match="no Apple GPU is usable here"):
        use_device("mps", 1)
