from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from psis_bench.zoo.metafiles import update_index


def safetensors(values: dict[str, list[float]], metadata: dict[str, str] | None = None) -> bytes:
    """Return a file of 32-bit numbers, written by hand after the description of the format."""
    import struct

    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, numbers in values.items():
        content = struct.pack(f"<{len(numbers)}f", *numbers)
        header[name] = {"dtype": "F32", "shape": [len(numbers)], "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


CONTENT = safetensors({"head.weight": [0.5, -1.25, 3.0], "norm.running_mean": [1.0]}, {"classes": '["a", "b"]'})


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def root(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the configurations and the index of this checkout, whose zoo is used in place of the real one."""
    folder = tmp_path / "checkout"
    shutil.copytree(repository / "configs", folder / "configs")
    shutil.copy(repository / "model-index.yml", folder / "model-index.yml")
    (folder / "model_zoo" / "weights").mkdir(parents=True)
    update_index(folder)
    monkeypatch.setattr("psis_bench.zoo.index.configs_dir", lambda: folder / "configs")
    monkeypatch.setenv("PSIS_BENCH_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def put(root: Path) -> Callable[..., dict[str, object]]:
    """Adds an entry with weights to the metafile of ``detection_free``, and the file when it is shipped."""

    def put(
        name: str = "tiny", *, content: bytes = CONTENT, address: str | None = None, **changes: object
    ) -> dict[str, object]:
        file = f"{name}-{sha256(content)[:8]}.safetensors"
        weights = f"{address}/{file}" if address else f"model_zoo/weights/{file}"
        if address is None:
            (root / weights).write_bytes(content)
        entry: dict[str, object] = {
            "Name": name,
            "In Collection": "detection_free",
            "Config": "configs/models/detection_free/small.py",
            "Metadata": {"Bytes": len(content), "SHA256": sha256(content)},
            "Results": [{"Task": "x", "Dataset": "synthetic", "Metrics": {"GT-box mIoU unseen": 64.5}}],
            "Weights": weights,
        } | changes
        path = root / "configs" / "models" / "detection_free" / "metafile.yml"
        metafile = yaml.safe_load(path.read_text("utf-8"))
        metafile["Models"].append(entry)
        path.write_text(yaml.safe_dump(metafile), encoding="utf-8")
        return entry

    return put
