"""What the official ``DeepMaskRCNNModel`` calls the variables of Deep-MARC.

Backbone and pyramid are functional models, whose layers are found by the order of their creation; heads are paths.
Classes there are 91 category ids with the background as 0; here the data set's classes with the background last. Boxes
there are y, x, height, width; here x, y, width, height.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from psis_bench.convert.creation_order import layers_in_order, names_in_order
from psis_bench.convert.mask_heads import deep_marc_head
from psis_bench.convert.sources import Array, Source, Translate, Turn, as_it_is, layer, norm, of_convolution, of_dense

_BACKGROUND = 0
_XYWH = [1, 0, 3, 2]
# What a block's layers are called here, in ResNet and in SpineNet, and there.
_IN_BLOCK = {
    "downsample.0": "_shortcut",
    "downsample.1": "_norm0",
    "projection": "_shortcut",
    "projection_norm": "_norm0",
    **{f"conv{number}": f"_conv{number}" for number in (1, 2, 3)},
    **{f"bn{number}": f"_norm{number}" for number in (1, 2, 3)},
    **{f"convs.{number - 1}": f"_conv{number}" for number in (1, 2, 3)},
    **{f"norms.{number - 1}": f"_norm{number}" for number in (1, 2, 3)},
}
_RPN = {"rpn_conv": "_convs/0", "rpn_cls": "_classifier", "rpn_reg": "_box_regressor"}


def deep_marc(
    names: Iterable[str], full_names: Mapping[str, str], *, category_ids: Sequence[int], class_agnostic: bool
) -> Translate:
    """Return the translation of a model `psis_bench.models.deep_marc.DeepMarc`.

    Args:
        names: The tensors of the model's state dict, in its order.
        full_names: Name of each variable of the checkpoint by its path.
        category_ids: The category id of each label.
        class_agnostic: Whether the mask head has one mask for any class.

    Raises:
        ValueError: The checkpoint has a layer of a backbone that is not known.
    """
    names = list(names)
    paths = {
        **_paths(names, "backbone", layers_in_order(full_names, "model/backbone")),
        **_paths(names, "neck", layers_in_order(full_names, "model/decoder")),
    }
    roots = {part: _root(full_names, part) for part in ("rpn_head", "detection_head", "mask_head")}
    ids = list(category_ids)

    def translate(name: str) -> Source | None:
        part, _, rest = name.partition(".")
        if part in ("backbone", "neck"):
            return _in_functional(name, paths)
        if part == "rpn_head":
            return _in_rpn_head(rest, roots["rpn_head"])
        head, _, rest = rest.partition(".")
        if head == "bbox_head":
            return _in_box_head(rest, roots["detection_head"], ids)
        if head != "mask_head":
            return None
        found = deep_marc_head(rest, root=roots["mask_head"])
        if found is None or class_agnostic or not rest.startswith("logits."):
            return found
        return Source(found.variable, _then(found.turn, lambda values: np.take(values, ids, axis=0)))

    return translate


def _root(full_names: Mapping[str, str], part: str) -> str:
    """Return the path of a head: versions of the official code hold it in different places."""
    candidates = (f"model/{part}", f"model/{part}/0", f"model/_config_dict/{part}")
    for root in candidates:
        if any(path.startswith(f"{root}/_") for path in full_names):
            return root
    return candidates[0]


def _paths(names: Sequence[str], part: str, layers: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the path of each layer and block of a functional model by its name here."""
    own = [name for name in names if name.startswith(f"{part}.") and name.endswith(".weight")]
    blocks: dict[str, list[str]] = {}
    single: dict[str, list[str]] = {"conv": [], "norm": []}
    for name in names_in_order(own):
        block = _block_of(name)
        if block:
            blocks.setdefault(block, []).append(name)
        else:
            single["norm" if "norm" in name or ".bn" in name else "conv"].append(name)
    kinds: dict[str, list[str]] = {**single, "bottleneck": [], "residual": []}
    for block, inside in blocks.items():
        kinds["bottleneck" if any(name.endswith(("conv3", "convs.2")) for name in inside) else "residual"].append(block)
    return {name: path for kind, found in kinds.items() for name, path in zip(found, layers[kind], strict=False)}


def _block_of(name: str) -> str | None:
    """Return the block that a layer belongs to, e.g. ``backbone.layer1.0``, None if to none."""
    for inside in _IN_BLOCK:
        block = name.removesuffix(f".{inside}")
        if block != name and block.rpartition(".")[2].isdigit():
            return block
    return None


def _in_functional(name: str, paths: Mapping[str, str]) -> Source | None:
    place, _, leaf = name.rpartition(".")
    block = _block_of(place)
    if block is None:
        if place not in paths:
            return None
        return norm(paths[place], leaf) if "norm" in place or ".bn" in place else layer(paths[place], leaf)
    if block not in paths:
        return None
    inside = _IN_BLOCK[place.removeprefix(f"{block}.")]
    path = f"{paths[block]}/{inside}"
    return norm(path, leaf) if inside.startswith("_norm") else layer(path, leaf)


def _in_rpn_head(rest: str, root: str) -> Source | None:
    place, _, leaf = rest.rpartition(".")
    if place.startswith("norms."):
        return norm(f"{root}/_norms/{place.removeprefix('norms.')}/0", leaf)
    if place not in _RPN:
        return None
    turn: Turn = of_convolution if leaf == "weight" else as_it_is
    if place == "rpn_reg":
        turn = _then(turn, lambda values: _boxes(values, slice(None)))
    return Source(f"{root}/{_RPN[place]}/{'kernel' if leaf == 'weight' else 'bias'}", turn)


def _in_box_head(rest: str, root: str, ids: list[int]) -> Source | None:
    place, _, leaf = rest.rpartition(".")
    kind, _, number = place.partition(".")
    dense = of_dense if leaf == "weight" else as_it_is
    if kind == "shared_convs":
        return layer(f"{root}/_convs/{number.removesuffix('.conv')}", leaf)
    if kind in ("conv_norms", "fc_norms"):
        return norm(f"{root}/_{kind}/{number}", leaf)
    if kind == "shared_fcs":
        return layer(f"{root}/_fcs/{number}", leaf, turn=_of_crops if number == "0" else of_dense)
    if kind == "fc_cls":
        classes = _then(dense, lambda values: np.take(values, [*ids, _BACKGROUND], axis=0))
        return Source(f"{root}/_classifier/{'kernel' if leaf == 'weight' else 'bias'}", classes)
    if kind == "fc_reg":
        boxes = _then(dense, lambda values: _boxes(values, ids))
        return Source(f"{root}/_box_regressor/{'kernel' if leaf == 'weight' else 'bias'}", boxes)
    return None


def _then(first: Turn, second: Turn) -> Turn:
    return lambda values: second(first(values))


def _boxes(values: Array, chosen: slice | list[int]) -> Array:
    """Choose among groups of four numbers y, x, h, w of the first axis and order each as x, y, w, h."""
    groups = values.reshape(-1, 4, *values.shape[1:])[chosen]
    return groups[:, _XYWH].reshape(-1, *values.shape[1:])


def _of_crops(values: Array, side: int = 7) -> Array:
    """Turn a kernel (H W C, out) on crops to (out, C H W)."""
    cells = values.reshape(side, side, -1, values.shape[-1])
    return cells.transpose(3, 2, 0, 1).reshape(values.shape[-1], -1)
