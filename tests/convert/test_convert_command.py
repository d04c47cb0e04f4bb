"""``psis-bench convert`` from a checkpoint to weights that a model takes; what does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_bundle
import torch
from mmdet.registry import MODELS

from psis_bench.cli import main
from psis_bench.config import resolve_config
from psis_bench.convert.deep_mac import deep_mac
from psis_bench.engine.checkpoints import load_weights
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_run
from psis_bench.splits.categories import COCO_CATEGORIES, COCO_NAMES

# Deep-MAC with Hourglass-104, all of its layers, four channels wide.
NARROW = [
    "model=deep_mac/hg104",
    "mm.model.backbone.num_init_channels=2",
    "mm.model.detection_head.in_channels=4",
    "mm.model.detection_head.head_width=3",
    "mm.model.mask_branch.in_channels=4",
    "mm.model.mask_branch.head_width=3",
    "mm.model.mask_branch.trunk.num_init_channels=2",
]
SLOT = "model/_mask_net/project_out/kernel/.OPTIMIZER_SLOT/optimizer/v"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A checkpoint of the narrow model with ResNet-4, with axes and classes in the official order."""
    run = resolve_config(["split=fully_supervised", *NARROW, "mask_head=resnet4"])
    with torch.device("meta"):
        network = MODELS.build(compose_run(run, classes=COCO_NAMES).model)
    translate = deep_mac(category_ids=list(COCO_CATEGORIES))
    generator = np.random.default_rng(4)
    variables: dict[str, Any] = {}
    for name, value in network.state_dict().items():
        source = None if name.endswith("num_batches_tracked") else translate(name)
        if source is None:
            continue
        shape = tuple(value.shape)
        if "centre_heads" in name and ".2." in name:
            shape = (90, *shape[1:])
        official = tuple(shape[axis] for axis in (2, 3, 1, 0)) if len(shape) == 4 else shape
        variables[source.variable] = generator.normal(size=official).astype(np.float32)
    prefix = tmp_path_factory.mktemp("official") / "ckpt-9"
    tf_bundle.write_checkpoint(prefix, {**variables, SLOT: np.ones(2, np.float32), "save_counter": np.int64(9)})
    return prefix, variables


def test_all_variables_become_weights(saved: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prefix, variables = saved
    out = tmp_path / "weights.safetensors"
    assert main(["convert", str(prefix), *NARROW, "mask_head=resnet4", f"out={out}", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["variables"] == len(variables)
    assert told["left_out"] == [SLOT, "save_counter"]
    weights = load_weights(out)
    assert weights.classes == COCO_NAMES
    assert len(weights.tensors) == told["tensors"]
    root, head = "model/_feature_extractor/_network", "model/_prediction_head_dict"
    stem = variables[f"{root}/downsample_input/conv_block/conv/kernel"]
    found = weights.tensors["backbone.input_conv.0.weight"]
    assert found.shape == (2, 3, 7, 7)
    assert found[1, 2, 3, 4] == stem[3, 4, 2, 1]
    # Category 13, stop sign, is the twelfth class.
    heat = variables[f"{head}/object_center/1/layer_with_weights-1/bias"]
    assert weights.tensors["detection_head.centre_heads.1.2.bias"][11] == heat[12]
    # 1 high and 3 wide, as the official embedding heads are.
    assert weights.tensors["mask_branch.pixel_heads.0.0.weight"].shape == (3, 4, 1, 3)


def test_the_result_is_told_and_long_lists_on_demand(
    saved: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "weights.safetensors"
    assert main(["convert", str(saved[0]), *NARROW, "mask_head=resnet4", f"out={out}"]) == 0
    told = capsys.readouterr().out
    assert f"{len(saved[1])} variables to" in told
    assert "left out by rule, 2 of the optimizer and counters" in told
    assert f"checkpoint={out} model=deep_mac/hg104 mask_head=resnet4" in told


def test_another_mask_head_is_refused_with_every_name(
    saved: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "weights.safetensors"
    assert main(["convert", str(saved[0]), *NARROW, "mask_head=resnet8", f"out={out}"]) == 2
    told = capsys.readouterr().err
    *report, error = told.splitlines()
    assert "the checkpoint does not fit the model" in error
    assert not out.exists()
    # ResNet-8 has two more blocks of five layers than ResNet-4, whose variables do not exist.
    missing = [line for line in report if line.startswith("no variable for")]
    assert len(missing) == 2 * (3 * 4 + 2)
    assert all("mask_branch.trunk.stacks.0." in line for line in missing)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no checkpoint is given"),
        (["a", "b"], "'b' is one word too many"),
        (["a"], "no model= is given"),
        (["a", "model=deep_mac/hg104"], "no out= is given"),
        (["a", "mode=x"], "did you mean 'model'?"),
        (["a", "model=deep_mac/hg104", "out=w.pth"], "out= is no .safetensors file"),
        (["a", "model=deep_mac/hg104", "out=OUT"], "no readable checkpoint: No such file or directory"),
        (["PREFIX", "model=deep_marc/r50", "out=OUT"], "give model=deep_marc/r50_tf"),
        (["PREFIX", "model=detection_free/hg52", "out=OUT"], "no official checkpoints of"),
        (["PREFIX", "model=deep_marc/spinenet49", "out=OUT"], "has no object graph"),
    ],
)
def test_mistakes_are_one_line(
    saved: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    places = {"PREFIX": str(saved[0]), "out=OUT": f"out={tmp_path / 'weights.safetensors'}"}
    assert main(["convert", *(places.get(argument, argument) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "weights.safetensors").exists()


def test_what_is_there_is_not_overwritten(saved: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "weights.safetensors"
    out.write_bytes(b"mine")
    assert main(["convert", str(saved[0]), *NARROW, f"out={out}"]) == 2
    assert "there is a file already" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"
