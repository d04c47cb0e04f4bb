"""Importing this module registers every model of this package with MMDetection.

A new model adds its module here; a user's own lives anywhere and is named in the config's ``custom_imports``.
"""

from __future__ import annotations

from psis_bench.models import deep_mac_branch, deep_marc, detection_free, mask_heads
from psis_bench.models.backbones import efficientnet_lite

__all__ = ["deep_mac_branch", "deep_marc", "detection_free", "efficientnet_lite", "mask_heads"]
