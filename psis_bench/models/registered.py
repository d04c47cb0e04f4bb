"""Importing this module registers every model of this package with MMDetection.

A new model adds its module here; a user's own lives anywhere and is named in the config's ``custom_imports``.
"""

from __future__ import annotations

from mmengine.registry import init_default_scope

from psis_bench.models import (
    bin_centre_crops,
    black_padding,
    centernet_head,
    contrastmask,
    cpmask_branch,
    deep_mac,
    deep_mac_branch,
    deep_marc,
    deep_marc_detector,
    detect_then_segment,
    detection_free,
    mask_heads,
    mask_rcnn,
    mask_x_rcnn,
    opmask,
    prompted,
    segment_anything,
    shapemask_branch,
)
from psis_bench.models.backbones import centernet_fpn, efficientnet_lite, hourglass, normed_fpn, same_resnet, spinenet

# Configs name MMDetection's parts without a prefix; outside a Runner nobody else says whose they are.
init_default_scope("mmdet")

__all__ = [
    "bin_centre_crops",
    "black_padding",
    "centernet_fpn",
    "centernet_head",
    "contrastmask",
    "cpmask_branch",
    "deep_mac",
    "deep_mac_branch",
    "deep_marc",
    "deep_marc_detector",
    "detect_then_segment",
    "detection_free",
    "efficientnet_lite",
    "hourglass",
    "mask_heads",
    "mask_rcnn",
    "mask_x_rcnn",
    "normed_fpn",
    "opmask",
    "prompted",
    "same_resnet",
    "segment_anything",
    "shapemask_branch",
    "spinenet",
]
