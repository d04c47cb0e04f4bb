"""What the official ``hourglass_network.py`` calls its variables, in mask heads and in backbones.

Names are those of `psis_bench.models.mask_heads.hourglass` and `psis_bench.models.backbones.hourglass`.
"""

from __future__ import annotations

import re

from psis_bench.convert.sources import Source, layer, norm

_RESIDUAL = {
    "main.0": "conv_block/conv",
    "main.1": "conv_block/norm",
    "main.3": "conv",
    "main.4": "norm",
    "skip.0": "skip/conv",
    "skip.1": "skip/norm",
}
_BRANCHES = {
    "skip": "encoder_block1",
    "encoder": "encoder_block2",
    "inner": "inner_block",
    "decoder": "decoder_block",
}


def output_or_input_conv(root: str, rest: str) -> Source | None:
    """Return the source in a convolution with norm; ``rest`` is e.g. ``0.weight``."""
    place, _, leaf = rest.partition(".")
    if place == "0":
        return layer(f"{root}/conv", leaf)
    return norm(f"{root}/norm", leaf) if place == "1" else None


def residual(root: str, rest: str) -> Source | None:
    """Return the source in a residual block; ``rest`` is e.g. ``main.3.weight``."""
    kind, _, leaf = rest.rpartition(".")
    if kind not in _RESIDUAL:
        return None
    path = f"{root}/{_RESIDUAL[kind]}"
    return norm(path, leaf) if path.endswith("/norm") else layer(path, leaf)


def encoder_decoder(root: str, rest: str) -> Source | None:
    """Return the source in an encoder-decoder; ``rest`` is e.g. ``inner.encoder.0.main.0.weight``."""
    path = root
    while match := re.fullmatch(r"inner\.((?:skip|encoder|decoder|inner)\..+)", rest):
        path, rest = f"{path}/inner_block/0", match[1]
    match = re.fullmatch(r"(skip|encoder|decoder|inner)\.(\d+)\.(.+)", rest)
    return residual(f"{path}/{_BRANCHES[match[1]]}/{match[2]}", match[3]) if match else None


def backbone(name: str, *, root: str) -> Source | None:
    """Return the source of a tensor of `HourglassBackbone`, None if it has none."""
    part, _, rest = name.partition(".")
    if part == "input_conv":
        return output_or_input_conv(f"{root}/downsample_input/conv_block", rest)
    if part == "input_block":
        return residual(f"{root}/downsample_input/residual_block", rest)
    place, _, rest = rest.partition(".")
    if part == "hourglasses":
        return encoder_decoder(f"{root}/hourglass_network/{place}", rest)
    if part == "output_convs":
        return output_or_input_conv(f"{root}/output_conv/{place}", rest)
    if part != "handovers":
        return None
    step, _, rest = rest.partition(".")
    if step == "block":
        return residual(f"{root}/intermediate_residual/{place}", rest)
    number = {"of_input": 1, "of_output": 2}.get(step)
    return output_or_input_conv(f"{root}/intermediate_conv{number}/{place}", rest) if number else None
