"""What the official ``DeepMACMetaArch`` calls the variables of Deep-MAC: backbone, heads of each stack, mask head.

Heat maps there have 90 channels, one for each category id from 1 on; here 80, those that the data set has.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from psis_bench.convert.hourglass import backbone
from psis_bench.convert.mask_heads import deep_mac_head
from psis_bench.convert.sources import Array, Source, Translate, Turn, layer

# As the object graph of a checkpoint has it: TensorFlow writes a slash in a name as ".S".
_HEADS = {
    "detection_head.centre_heads": "object_center",
    "detection_head.size_heads": "box.Sscale",
    "detection_head.offset_heads": "box.Soffset",
    "mask_branch.pixel_heads": "PIXEL_EMBEDDING",
    "mask_branch.instance_heads": "INSTANCE_EMBEDDING",
}
_ROOT = "model"


def deep_mac(*, category_ids: Sequence[int]) -> Translate:
    """Return the translation of a model `psis_bench.models.deep_mac.DeepMac` with an hourglass backbone.

    Args:
        category_ids: The category id of each label.
    """
    channels = [category - 1 for category in category_ids]

    def translate(name: str) -> Source | None:
        if name.startswith("backbone."):
            return backbone(name.removeprefix("backbone."), root=f"{_ROOT}/_feature_extractor/_network")
        if name.startswith("mask_branch.") and not name.startswith(("mask_branch.pixel_", "mask_branch.instance_")):
            return deep_mac_head(name.removeprefix("mask_branch."), root=f"{_ROOT}/_mask_net")
        return _head(name, channels)

    return translate


def _head(name: str, channels: list[int]) -> Source | None:
    """Return the source in one of the heads: two convolutions with a ReLU between them."""
    parts = name.split(".")
    if len(parts) != 5 or ".".join(parts[:2]) not in _HEADS or parts[3] not in ("0", "2"):
        return None
    kind = _HEADS[".".join(parts[:2])]
    number = ("0", "2").index(parts[3])
    found = layer(f"{_ROOT}/_prediction_head_dict/{kind}/{parts[2]}/layer_with_weights-{number}", parts[4])
    if found is None or kind != "object_center" or number == 0:
        return found
    return Source(found.variable, _of_classes(channels, found.turn))


def _of_classes(channels: list[int], turn: Turn) -> Turn:
    def turned(values: Array) -> Array:
        return np.take(turn(values), channels, axis=0)

    return turned
