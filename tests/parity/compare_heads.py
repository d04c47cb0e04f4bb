"""Mask heads alone: the official checkpoints converted, and the logits of the same crops."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from table import Row, row
from torch import nn

from psis_bench.config_listing import check_name
from psis_bench.convert.conversion import convert
from psis_bench.convert.mask_heads import deep_mac_head, deep_marc_head, trunk
from psis_bench.convert.sources import Translate
from psis_bench.convert.tf_checkpoint import TfCheckpoint
from psis_bench.models.compose import load_config


class DeepMacHead(nn.Module):
    """The end of Deep-MAC's mask branch: trunk and logits, by the names it has there."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.trunk = MODELS.build({**config, "in_channels": 50})
        self.logits = nn.Conv2d(self.trunk.out_channels, 1, 1)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.logits(self.trunk(crops))


def build(family: str, head: Any) -> tuple[nn.Module, Translate]:
    """Return a head and the translation of its names."""
    if family == "deep_mac":
        if head.trunk.type == "FullyConnectedTrunk":  # the official one has no layer behind it
            return MODELS.build({**head.trunk, "in_channels": 50}), partial(trunk, root="model/_net")
        return DeepMacHead(head.trunk), deep_mac_head
    config = {
        "type": "DeepMarcMaskHead",
        "in_channels": 256,
        "trunk": head.trunk,
        "upsample_channels": head.upsample_channels,
        "class_agnostic": family == "deep_marc",
        "num_classes": 91,
        "norm_eps": 1e-4,
        "norm_momentum": 0.003,
    }
    return MODELS.build(config), deep_marc_head


@torch.inference_mode()
def compare(folder: Path) -> Iterator[Row]:
    """Yield a row for each head that `official_heads.py` saved."""
    for file in sorted(folder.glob("*.npz")):
        family, _, name = file.stem.partition("-")
        network, translate = build(family, load_config(check_name("mask_heads", name)))
        network.eval()
        shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        arrays = convert(TfCheckpoint(file.with_suffix("")), shapes, translate)
        network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in arrays.items()})
        saved = np.load(file)
        logits = network(torch.from_numpy(np.ascontiguousarray(saved["crops"])))
        # With a mask for each class, the official head returns those of classes 1 and 88.
        mine = logits[[0, 1], [1, 88]] if family == "deep_marc_specific" else logits[:, 0]
        words = {"deep_mac": "Deep-MAC", "deep_marc": "Deep-MARC", "deep_marc_specific": "Deep-MARC, class-specific,"}
        yield row(f"{words[family]} mask head {name}: logits", mine, saved["logits"])
