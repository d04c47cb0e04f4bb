"""The layers of a Keras functional model in the order in which its code creates them.

A checkpoint numbers them by their distance from the output (``layer_with_weights-7``), which for a network whose scales
go up and down is hard to foretell. But it also keeps the names of variables, and Keras numbers layers that have no name
as they are created: ``conv2d_41/kernel``, ``bottleneck_block_3/conv2d_9/kernel``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# Layers with weights of a ResNet, a SpineNet or a pyramid: convolutions, norms, and blocks of both.
_KINDS = {
    "conv2d": "conv",
    "lateral": "conv",
    "post_hoc": "conv",
    "coarser": "conv",
    "batch_normalization": "norm",
    "sync_batch_normalization": "norm",
    "norm": "norm",
    "bottleneck_block": "bottleneck",
    "residual_block": "residual",
}
# Layers that the code names itself, in the order of their creation.
_NAMED = ("lateral", "post_hoc", "coarser")


def layers_in_order(full_names: Mapping[str, str], root: str) -> dict[str, list[str]]:
    """Return the paths of the layers below ``root`` by kind (``conv``, ``norm``, ``bottleneck``, ``residual``).

    Args:
        full_names: Name of each variable by its path in the checkpoint.
        root: Path of the functional model, e.g. ``model/backbone``.

    Raises:
        ValueError: A layer has a name that Keras would not give it.
    """
    found: dict[str, dict[str, tuple[int, int]]] = {kind: {} for kind in set(_KINDS.values())}
    for path, full_name in full_names.items():
        match = re.match(rf"{re.escape(root)}/(layer(?:_with_weights)?-\d+)/", path)
        if match is None:
            continue
        kind, place = _kind_and_place(full_name, path)
        found[kind][f"{root}/{match[1]}"] = place
    return {kind: _sorted(places) for kind, places in found.items()}


def _kind_and_place(full_name: str, path: str) -> tuple[str, tuple[int, int]]:
    name = full_name.partition("/")[0]
    match = re.fullmatch(r"(\w+?)(?:_(\d+))?", name)
    if match is None or match[1] not in _KINDS:
        raise ValueError(f"{path} belongs to a layer {name!r}, which no known backbone has")
    group = _NAMED.index(match[1]) if match[1] in _NAMED else 0
    return _KINDS[match[1]], (group, int(match[2] or 0))


def _sorted(places: Mapping[str, tuple[int, int]]) -> list[str]:
    return sorted(places, key=lambda path: places[path])


def names_in_order(names: Iterable[str]) -> list[str]:
    """Return what stands before the last dot of each name, once each, in the order given."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name in names))
