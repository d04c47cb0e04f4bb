"""What all tests share: the real images beside the checkout, a cache of their own, and no network."""

from __future__ import annotations

import os

# One thread for each test process; set before NumPy or torch are imported, which read it once.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

# Examples depend on the test alone, and a busy machine fails no test.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with ``coco_mini`` and its like: ``$PSIS_BENCH_SHARED``, or ``../shared/data`` beside the checkout.

    Where it is missing the test is skipped, on a CI machine it fails.
    """
    folder = Path(os.environ.get("PSIS_BENCH_SHARED") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        message = f"{folder} is missing: it holds the real images that this test needs (or set PSIS_BENCH_SHARED)"
        if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Generated data sets go to a folder of this test session, which its parallel workers share."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    cache = base / "psis_bench_cache"
    cache.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PSIS_BENCH_CACHE", str(cache))
        patch.delenv("PSIS_BENCH_DATA", raising=False)
        yield cache


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """A test that opens a connection to another machine fails, wherever it is run."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _only_this_machine(getattr(socket.socket, name)))
        yield


def _only_this_machine(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(address[0]):
            raise RuntimeError(f"a test tried to reach {address[0]}: tests run without a network")
        return connect(self, address)

    return guarded


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.split("%", maxsplit=1)[0]).is_loopback
    except ValueError:
        return host == "localhost"
