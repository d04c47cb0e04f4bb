"""Names here and in the official code: every variable of an official model has its tensor, of the same size.

``official_variables.csv`` was written by TensorFlow: the paths, layers and shapes of the variables of official
Deep-MARC models with HG-20 (ResNet-50-FPN; SpineNet-49, whose mask head is left out), of batch norms one of four.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS

from psis_bench.convert.creation_order import layers_in_order
from psis_bench.convert.deep_mac import deep_mac
from psis_bench.convert.deep_marc import deep_marc
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_model
from psis_bench.splits.categories import COCO_CATEGORIES, COCO_NAMES

IDS = list(COCO_CATEGORIES)


def shapes_of(model: str, mask_head: str) -> dict[str, tuple[int, ...]]:
    choices: dict[str, Any] = dict.fromkeys(("crop_source", "schedule", "iterations"))
    config = compose_model(model=model, mask_head=mask_head, classes=COCO_NAMES, **choices)
    with torch.device("meta"):
        network = MODELS.build(config.model)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def official(model: str) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """Return names of layers and shapes by path."""
    with (Path(__file__).parent / "official_variables.csv").open(encoding="utf-8", newline="") as file:
        rows = [found for found in csv.DictReader(file) if found["model"] == model]
    names = {found["variable"]: found["name"] for found in rows}
    return names, {found["variable"]: tuple(map(int, found["shape"].split())) for found in rows}


@pytest.mark.parametrize(("model", "name"), [("resnet", "deep_marc/r50_tf"), ("spinenet", "deep_marc/spinenet49")])
def test_every_variable_of_official_deep_marc_has_its_tensor(model: str, name: str) -> None:
    names, there = official(model)
    here = shapes_of(name, "hourglass20")
    translate = deep_marc(here, names, category_ids=IDS, class_agnostic=True)
    used = []
    for tensor, shape in here.items():
        leaf = tensor.rpartition(".")[2]
        source = None if leaf == "num_batches_tracked" else translate(tensor)
        if source is None:
            assert leaf == "num_batches_tracked", tensor
        elif source.variable in there:
            used.append(source.variable)
            # A view of one number: the official shape without its memory.
            assert source.turn(np.broadcast_to(np.float32(0), there[source.variable])).shape == shape, tensor
        else:
            in_file = model == "spinenet" and ".mask_head." in tensor
            assert in_file or source.variable.endswith(("/beta", "/moving_mean", "/moving_variance")), tensor
    assert sorted(used) == sorted(there)


def test_layers_of_spinenet_come_in_the_order_of_their_creation() -> None:
    """Their numbers in a checkpoint do not, and the layers of a level that is not used are missing."""
    layers = layers_in_order(official("spinenet")[0], "model/backbone")
    numbers = [int(path.rpartition("-")[2]) for path in layers["conv"]]
    assert numbers != sorted(numbers)
    assert len(set(numbers)) == len(numbers)
    assert [len(layers[kind]) for kind in ("bottleneck", "residual")] == [13, 4]


def test_a_layer_of_another_kind_of_backbone_is_named() -> None:
    with pytest.raises(ValueError, match="'mobile_block_1', which no known backbone has"):
        layers_in_order({"model/backbone/layer-1/kernel": "mobile_block_1/kernel"}, "model/backbone")


def test_older_versions_hold_the_box_head_elsewhere() -> None:
    for root in ("model/detection_head", "model/detection_head/0", "model/_config_dict/detection_head"):
        translate = deep_marc([], {f"{root}/_fcs/0/kernel": ""}, category_ids=IDS, class_agnostic=True)
        source = translate("roi_head.bbox_head.fc_reg.bias")
        assert source is not None
        assert source.variable == f"{root}/_box_regressor/bias"


def test_boxes_and_classes_are_those_of_coco_in_this_package_s_order() -> None:
    translate = deep_marc([], {"model/detection_head/_x": ""}, category_ids=IDS, class_agnostic=False)

    def turned(name: str, values: Any) -> Any:
        source = translate(name)
        assert source is not None
        return source.turn(np.asarray(values))

    classes = turned("roi_head.bbox_head.fc_cls.bias", np.arange(91))
    assert classes.tolist() == [*IDS, 0]  # the background last
    # Category 13 is the 12th class; numbers are 10 * category + (0 y, 1 x, 2 height, 3 width).
    numbers = (10 * np.arange(91)[:, None] + np.arange(4)).ravel()
    boxes = turned("roi_head.bbox_head.fc_reg.bias", numbers).reshape(80, 4)
    assert boxes[11].tolist() == [131, 130, 133, 132]
    kernel = turned("roi_head.bbox_head.fc_reg.weight", np.tile(numbers, (3, 1)))
    assert kernel[:, 2].reshape(80, 4)[11].tolist() == [131, 130, 133, 132]
    anchors = turned("rpn_head.rpn_reg.bias", np.arange(12))
    assert anchors.tolist() == [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10]
    assert turned("roi_head.mask_head.logits.bias", np.arange(91)).tolist() == IDS
    # The fully connected layer sees crops by row, column, channel there, by channel, row, column here.
    cells = np.arange(7 * 7 * 5).reshape(7 * 7 * 5, 1)
    flat = turned("roi_head.bbox_head.shared_fcs.0.weight", cells).reshape(5, 7, 7)
    assert flat[3, 2, 6] == (2 * 7 + 6) * 5 + 3


def test_names_of_deep_mac() -> None:
    """One of each kind, as TensorFlow writes them; the others differ in numbers."""
    translate = deep_mac(category_ids=IDS)
    root, head = "model/_feature_extractor/_network", "model/_prediction_head_dict"
    expected = {
        "backbone.input_conv.0.weight": f"{root}/downsample_input/conv_block/conv/kernel",
        "backbone.input_block.skip.1.running_var": f"{root}/downsample_input/residual_block/skip/norm/moving_variance",
        "backbone.hourglasses.1.inner.inner.encoder.0.main.3.weight": f"{root}/hourglass_network/1/inner_block/0"
        "/inner_block/0/encoder_block2/0/conv/kernel",
        "backbone.hourglasses.0.inner.inner.inner.inner.inner.3.main.1.bias": f"{root}/hourglass_network/0"
        + 4 * "/inner_block/0"
        + "/inner_block/3/conv_block/norm/beta",
        "backbone.output_convs.1.1.weight": f"{root}/output_conv/1/norm/gamma",
        "backbone.handovers.0.of_input.0.weight": f"{root}/intermediate_conv1/0/conv/kernel",
        "backbone.handovers.0.of_output.1.running_mean": f"{root}/intermediate_conv2/0/norm/moving_mean",
        "backbone.handovers.0.block.main.0.weight": f"{root}/intermediate_residual/0/conv_block/conv/kernel",
        "detection_head.centre_heads.1.2.bias": f"{head}/object_center/1/layer_with_weights-1/bias",
        "detection_head.size_heads.0.0.weight": f"{head}/box.Sscale/0/layer_with_weights-0/kernel",
        "detection_head.offset_heads.1.2.weight": f"{head}/box.Soffset/1/layer_with_weights-1/kernel",
        "mask_branch.pixel_heads.0.0.bias": f"{head}/PIXEL_EMBEDDING/0/layer_with_weights-0/bias",
        "mask_branch.instance_heads.1.2.bias": f"{head}/INSTANCE_EMBEDDING/1/layer_with_weights-1/bias",
        "mask_branch.logits.weight": "model/_mask_net/project_out/kernel",
        "mask_branch.trunk.input_block.main.4.bias": "model/_mask_net/_net/conv_input/residual_block/norm/beta",
        "mask_branch.trunk.stacks.0.1.activate.0.weight": "model/_mask_net/_net/model/layer_with_weights-6/gamma",
    }
    found = {name: source.variable for name in expected if (source := translate(name))}
    assert found == expected
    heat = translate("detection_head.centre_heads.0.2.bias")
    assert heat is not None
    assert heat.turn(np.arange(90)).tolist() == [number - 1 for number in IDS]


@pytest.mark.parametrize("mask_head", ["hourglass100", "resnet20"])
def test_every_tensor_of_deep_mac_has_one_variable(mask_head: str) -> None:
    names = [name for name in shapes_of("deep_mac/hg104", mask_head) if not name.endswith("num_batches_tracked")]
    translate = deep_mac(category_ids=IDS)
    found = [source.variable for name in names if (source := translate(name))]
    assert len(found) == len(names) == len(set(found))
