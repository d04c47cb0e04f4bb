from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from psis_bench.demo.models import DemoModels

# The page needs two extras; where one is missing there is nothing to test.
missing = any(find_spec(package) is None for package in ("dash", "mmdet"))
collect_ignore_glob = ["test_*.py"] if missing else []


@pytest.fixture(scope="session")
def models() -> DemoModels:
    """The two models whose weights come with the project."""
    from psis_bench.demo.models import DemoModels
    from psis_bench.user_boxes.chosen_model import model_of_checkpoint

    names = ("synthetic_hourglass20", "synthetic_resnet4")
    return DemoModels([model_of_checkpoint(name, ["device=cpu", "threads=1"]) for name in names])


@pytest.fixture(scope="session")
def address(models: DemoModels) -> Iterator[str]:
    """The address of a running demo."""
    from psis_bench.demo.server import start

    server = start(models, port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
