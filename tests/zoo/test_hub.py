"""The Hugging Face Hub, with a stand-in for its package: what is asked of it, and that its answers are checked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from psis_bench.cli import main
from psis_bench.errors import UserError
from psis_bench.zoo.weights import get_weights

from .conftest import CONTENT

Put = Callable[..., dict[str, object]]


class Hub:
    """What was asked, and what is answered."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.content = CONTENT
        self.fails = False

    def hf_hub_download(self, *, repo_id: str, filename: str, local_dir: str) -> str:
        self.asked.append({"repo_id": repo_id, "filename": filename})
        if self.fails:
            raise OSError("no such\nrepository")
        path = Path(local_dir) / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        return str(path)

    def upload_file(self, **asked: Any) -> None:
        self.asked.append(asked)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub()
    package, errors = ModuleType("huggingface_hub"), ModuleType("huggingface_hub.errors")
    package.hf_hub_download = hub.hf_hub_download  # type: ignore[attr-defined]
    package.HfApi = lambda: hub  # type: ignore[attr-defined]
    package.errors = errors  # type: ignore[attr-defined]
    errors.HfHubHTTPError = type("HfHubHTTPError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    return hub


@pytest.mark.parametrize("folder", ["", "/some/folder"])
def test_weights_are_downloaded_once(root: Path, put: Put, hub: Hub, folder: str):
    entry = put(address=f"hf://someone/models{folder}")
    path = get_weights("tiny", root=root)
    assert path.read_bytes() == CONTENT
    assert get_weights("tiny", root=root) == path
    name = str(entry["Weights"]).rpartition("/")[2]
    assert hub.asked == [{"repo_id": "someone/models", "filename": f"{folder}/{name}".lstrip("/")}]


def test_what_the_hub_sends_is_checked(root: Path, put: Put, hub: Hub, tmp_path: Path):
    put(address="hf://someone/models")
    hub.content = CONTENT[:-1] + b"x"
    with pytest.raises(UserError, match=r"has the SHA-256 \w+\.\.\. and should have"):
        get_weights("tiny", root=root)
    hub.fails = True
    with pytest.raises(UserError, match="cannot be downloaded: no such repository; check name and network"):
        get_weights("tiny", root=root)
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


@pytest.mark.parametrize("address", ["hf://models", "hf://../../x", "hf://someone/models/../../y"])
def test_addresses_that_are_none_are_not_asked(root: Path, put: Put, hub: Hub, address: str):
    put(address=address)
    with pytest.raises(UserError, match="is no address on the Hub"):
        get_weights("tiny", root=root)
    assert hub.asked == []


def test_upload_sends_the_checked_file(root: Path, put: Put, hub: Hub, capsys: pytest.CaptureFixture[str]):
    entry = put()
    assert main(["zoo", "upload", "tiny", "repo=someone/models"]) == 0
    name = str(entry["Weights"]).rpartition("/")[2]
    assert capsys.readouterr().out.strip() == f"hf://someone/models/{name}"
    (asked,) = hub.asked
    assert (asked["repo_id"], asked["path_in_repo"]) == ("someone/models", name)
    assert Path(asked["path_or_fileobj"]).read_bytes() == CONTENT


def test_without_the_extra_the_cure_is_told(root: Path, put: Put, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    put(address="hf://someone/models")
    with pytest.raises(UserError, match=r"huggingface_hub is not installed; pip install 'psis_bench\[hub\]'"):
        get_weights("tiny", root=root)
