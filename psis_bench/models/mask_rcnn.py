"""Mask R-CNN's own mask head. The detector and the RoI head around it are those of Deep-MARC.

Source: He et al., Mask R-CNN (2017), Figure 4 right; as the baseline of Hu et al. (2018) in ronghanghu/seg_every_thing
(0bd7b8b), ``lib/modeling/mask_rcnn_heads.py``.
"""

from __future__ import annotations

from typing import Any

from mmdet.registry import MODELS
from torch import nn

from psis_bench.models.deep_marc import DeepMarcMaskHead


@MODELS.register_module()
class PlainMaskHead(DeepMarcMaskHead):
    """Trunk, transposed convolution, ReLU, 1x1 convolution: Deep-MARC's head without its batch norm.

    A class-agnostic 1x1 convolution starts from N(0, 0.001²), one with a channel for each class from He's rule, as in
    Detectron, where larger weights of the former made the loss diverge.

    Args:
        **kwargs: Arguments of `DeepMarcMaskHead`; those of the norm are without effect.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.norm = nn.Identity()

    def init_weights(self) -> None:
        """Initialise as Deep-MARC's head, but for a class-agnostic 1x1 convolution."""
        super().init_weights()
        if self.class_agnostic and isinstance(self.logits, nn.Conv2d):
            nn.init.normal_(self.logits.weight, std=0.001)
