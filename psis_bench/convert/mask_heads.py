"""What the official code calls the variables of mask heads.

A name of this package's state dict becomes the path of attributes under which an object-based checkpoint of the
official ``MaskHeadNetwork`` (Deep-MAC) or ``DeepMaskHead`` (Deep-MARC) holds the same weights.
"""

from __future__ import annotations

import re

from psis_bench.convert.hourglass import encoder_decoder, output_or_input_conv, residual
from psis_bench.convert.sources import Source, layer, norm, of_dense

# Blocks of the only ResNet whose second stack has any: ResNet-20's first stack.
_FIRST_STACK = 8


def deep_mac_head(name: str, *, root: str = "model") -> Source | None:
    """Return the source of a tensor of Deep-MAC's mask head (``trunk.*`` and ``logits.*``), None if it has none."""
    if name.startswith("logits."):
        return layer(f"{root}/project_out", name.removeprefix("logits."))
    return trunk(name.removeprefix("trunk."), root=f"{root}/_net") if name.startswith("trunk.") else None


def deep_marc_head(name: str, *, root: str = "model") -> Source | None:
    """Return the source of a tensor of Deep-MARC's mask head, None if it has none."""
    part, _, rest = name.partition(".")
    if part in ("upsample", "logits"):
        return layer(f"{root}/{'_deconv' if part == 'upsample' else '_mask_regressor'}", rest)
    if part == "norm":
        return norm(f"{root}/_deconv_bn", rest)
    if part != "trunk":
        return None
    match = re.fullmatch(r"layers\.(\d+)\.(\w+)", rest)
    if match is None:
        return trunk(rest, root=f"{root}/_hourglass")
    # The default head: convolution, norm, ReLU in turn.
    place, kind = divmod(int(match[1]), 3)
    return layer(f"{root}/_convs/{place}", match[2]) if kind == 0 else norm(f"{root}/_conv_norms/{place}", match[2])


def trunk(name: str, *, root: str) -> Source | None:
    """Return the source of a tensor of a trunk: of an hourglass, a ResNet, or fully connected layers."""
    if name.startswith("stacks."):
        return _resnet(name, root)
    if name in ("input_conv.weight", "input_conv.bias"):
        return layer(f"{root}/input_layer", name.removeprefix("input_conv."))
    if match := re.fullmatch(r"layers\.(\d+)\.(\w+)", name):
        return layer(f"{root}/fc{int(match[1]) // 2 + 1}", match[2], turn=of_dense)
    return _hourglass(name, root)


def _hourglass(name: str, root: str) -> Source | None:
    """Return the source in an hourglass network with one stack and without initial downsampling."""
    part, _, rest = name.partition(".")
    if part == "input_conv":
        return output_or_input_conv(f"{root}/conv_input/conv_block", rest)
    if part == "output_conv":
        return output_or_input_conv(f"{root}/output_conv/0", rest)
    if part == "input_block":
        return residual(f"{root}/conv_input/residual_block", rest)
    return encoder_decoder(f"{root}/hourglass_network/0", rest) if part == "hourglass" else None


def _resnet(name: str, root: str) -> Source | None:
    """Return the source in Keras' functional model, whose layers with weights are numbered.

    Layers are in the order of their distance from the output: the shortcut's convolution of a stack's first block
    comes after the block's last norm. The number of blocks before this one decides where the count begins; stacks
    after the first are only known to start behind ``_FIRST_STACK`` blocks, which is so in ResNet-20 alone.
    """
    match = re.fullmatch(r"stacks\.(\d+)\.(\d+)\.(activate\.0|shortcut|main\.[0134])\.(\w+)", name)
    if match is None:
        return None
    stack, block = int(match[1]), int(match[2])
    blocks_before = stack * _FIRST_STACK + block
    projections_before = stack + (block > 0)
    order = {"activate.0": 0, "main.0": 1, "main.1": 2, "main.3": 3, "main.4": 4, "shortcut": 5}
    path = f"{root}/model/layer_with_weights-{5 * blocks_before + projections_before + order[match[3]]}"
    return norm(path, match[4]) if match[3] in ("activate.0", "main.1", "main.4") else layer(path, match[4])
