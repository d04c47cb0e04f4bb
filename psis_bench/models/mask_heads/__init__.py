"""Mask-head trunks: the per-instance networks under study. Importing this package registers them with MMDetection.

A trunk maps crops (N, C, H, W) to features (N, C', H, W) and knows nothing of detectors; what turns features into
mask logits belongs to the model around it. Variants are configs: ``configs/mask_heads``.
"""

from __future__ import annotations

from psis_bench.models.mask_heads.fcn import ConvTrunk
from psis_bench.models.mask_heads.fully_connected import FullyConnectedTrunk
from psis_bench.models.mask_heads.hourglass import HourglassTrunk
from psis_bench.models.mask_heads.resnet import ResNetTrunk
from psis_bench.models.mask_heads.trunk import Trunk

__all__ = ["ConvTrunk", "FullyConnectedTrunk", "HourglassTrunk", "ResNetTrunk", "Trunk"]
