"""The help of ``psis-bench convert``."""

from __future__ import annotations

from psis_bench.commands.command import JSON, Command, Option

CONVERT = Command(
    summary="turn a checkpoint of the official TensorFlow code into weights of a model here",
    description="Turn a published TensorFlow checkpoint of Deep-MAC (Hourglass-104) or Deep-MARC (ResNet-FPN,\n"
    "SpineNet) into weights of the same model here, for the 80 classes of COCO. Needs no TensorFlow.\n\n"
    "All or nothing: what does not fit is named, variable by variable, and nothing is written. Optimizer slots and\n"
    "counters are left out; --all names each of them.\n\n"
    "  model=NAME         deep_mac/hg104, deep_mac/hg104_1024, deep_marc/r50_tf, deep_marc/r101_tf,\n"
    "                     deep_marc/spinenet143, ...\n"
    "  mask_head=NAME     the mask head it was trained with            [the model's own]\n"
    "  out=FILE           a new .safetensors file\n"
    "  mm.PATH=VALUE      change a value of the model's configuration",
    module="psis_bench.commands.convert",
    examples=(
        "psis-bench convert deepmac/checkpoint/ckpt-0 model=deep_mac/hg104_1024 out=deep_mac.safetensors",
        "psis-bench convert ckpt-231000 model=deep_marc/spinenet143 out=deep_marc.safetensors",
        "psis-bench convert ckpt-70000 model=deep_marc/r50_tf mask_head=hourglass52 out=r50.safetensors --all",
    ),
    argument="argument",
    argument_help="path of the checkpoint, up to .index; and settings as above",
    options=(JSON, Option("all", "name every variable that was left out by rule")),
)
