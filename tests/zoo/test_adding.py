"""From a run to an entry of the zoo."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml

from psis_bench.errors import UserError
from psis_bench.zoo.adding import add_run
from psis_bench.zoo.index import find_model, read_index
from psis_bench.zoo.weights import get_weights

from .conftest import CONTENT, safetensors, sha256


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The files of a finished run that are looked at."""
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "final.safetensors").write_bytes(CONTENT)
    config = {"split": "voc2nonvoc", "model": "detection_free/small", "mask_head": "resnet4", "seed": 3}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    groups = {
        "unseen": {"box": None, "mask": None, "gt_box_miou": {"class_mean": 0.6562607078, "instance_mean": 0.6}},
        "seen": {"box": None, "mask": {"AP": 0.25}, "gt_box_miou": None},
    }
    (folder / "scores.json").write_text(json.dumps({"groups": groups}), encoding="utf-8")
    return folder


def test_a_run_becomes_a_file_and_an_entry(run: Path, root: Path):
    model = add_run(run, name="tiny_resnet4", licence="Apache-2.0", root=root)
    assert model.weights == f"model_zoo/weights/tiny_resnet4-{sha256(CONTENT)[:8]}.safetensors"
    assert get_weights("tiny_resnet4", root=root).read_bytes() == CONTENT
    assert model.config == "configs/models/detection_free/small.py"
    # The running mean of a normalisation is not learnt.
    assert dict(model.metadata) == {
        "Split": "voc2nonvoc@1",
        "Training Data": "synthetic",
        "Mask Head": "resnet4",
        "Seed": 3,
        "Parameters": 3,
        "Licence": "Apache-2.0",
        "Bytes": len(CONTENT),
        "SHA256": sha256(CONTENT),
    }
    assert dict(model.metrics) == pytest.approx({"GT-box mIoU unseen": 65.62607078, "mask AP seen": 25.0})


def test_adding_again_needs_replace_and_removes_the_old_file(run: Path, root: Path):
    first = add_run(run, name="tiny", licence="Apache-2.0", root=root)
    other = safetensors({"head.weight": [9.0]})
    (run / "checkpoints" / "final.safetensors").write_bytes(other)
    with pytest.raises(UserError, match="there is a model 'tiny' already; choose another name="):
        add_run(run, name="tiny", licence="Apache-2.0", root=root)
    second = add_run(run, name="tiny", licence="Apache-2.0", replace=True, root=root)
    assert [path.name for path in (root / "model_zoo" / "weights").iterdir()] == [second.file_name]
    assert first.file_name != second.file_name
    assert sum(model.name == "tiny" for model in read_index(root)) == 1


def test_half_halves_the_numbers_and_keeps_their_values(run: Path, root: Path):
    values = [0.5, -1.25, 3.0, 0.1]
    (run / "checkpoints" / "final.safetensors").write_bytes(safetensors({"a": values}, {"classes": '["x"]'}))
    model = add_run(run, name="half", licence="Apache-2.0", half=True, root=root)
    content = get_weights("half", root=root).read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    assert header["__metadata__"] == {"classes": '["x"]'}
    assert header["a"] == {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]}
    stored = np.frombuffer(content[8 + length :], "<f2").astype(float)
    assert stored == pytest.approx(values, rel=2**-11)
    assert model.metadata["Stored As"] == "float16"
    numpy = pytest.importorskip("safetensors.numpy")
    assert numpy.load(content)["a"].dtype == np.float16


def test_numbers_too_large_for_half_are_refused(run: Path, root: Path):
    (run / "checkpoints" / "final.safetensors").write_bytes(safetensors({"a": [70000.0]}))
    with pytest.raises(UserError, match="a does not fit into 16 bits; leave half=true out"):
        add_run(run, name="half", licence="Apache-2.0", half=True, root=root)
    assert list((root / "model_zoo" / "weights").iterdir()) == []


def test_weights_on_a_server_are_named_with_their_address(run: Path, root: Path):
    model = add_run(run, name="far", licence="Apache-2.0", url="https://example.org/weights/", root=root)
    assert model.weights == f"https://example.org/weights/far-{sha256(CONTENT)[:8]}.safetensors"
    assert not model.is_shipped


def test_what_is_not_done_is_not_added(run: Path, root: Path):
    (run / "scores.json").unlink()
    with pytest.raises(UserError, match="has no scores; psis-bench score"):
        add_run(run, name="tiny", licence="Apache-2.0", root=root)
    (run / "checkpoints" / "final.safetensors").unlink()
    with pytest.raises(UserError, match="has no weights of a finished training"):
        add_run(run, name="tiny", licence="Apache-2.0", root=root)
    with pytest.raises(UserError, match="'Tiny Model' cannot be a name"):
        add_run(run, name="Tiny Model", licence="Apache-2.0", root=root)
    assert "tiny" not in [model.name for model in read_index(root)]


def test_a_model_of_ones_own_is_not_added(run: Path, root: Path):
    (run / "config.yaml").write_text("split: voc2nonvoc\nmodel: /elsewhere/mine.py\n", encoding="utf-8")
    with pytest.raises(UserError, match="is none of configs/models; put its configuration there"):
        add_run(run, name="tiny", licence="Apache-2.0", root=root)


def test_a_pickle_under_the_name_of_the_weights_is_not_added(run: Path, root: Path):
    (run / "checkpoints" / "final.safetensors").write_bytes(b"PK\x03\x04" + b"\0" * 60)
    with pytest.raises(UserError, match="pickle"):
        add_run(run, name="tiny", licence="Apache-2.0", root=root)
    with pytest.raises(UserError, match="no model 'tiny'"):
        find_model("tiny", root)
