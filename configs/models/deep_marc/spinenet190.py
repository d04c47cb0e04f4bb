"""Deep-MARC with SpineNet-190 at 1280 x 1280, HG-52.

The widths and repeats are those of SpineNet-190 in the official ``official/vision/modeling/backbones/spinenet.py``; the
paper has Deep-MARC with SpineNet-143 alone. Everything else as ``deep_marc/spinenet143.py``.
Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=deep_marc/spinenet190 data=coco``.
"""

_base_ = "./spinenet143.py"

_channels = 512

model = dict(
    backbone=dict(endpoint_channels=_channels, width_scale=1.3, resample_alpha=1.0, block_repeats=4),
    rpn_head=dict(in_channels=_channels),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=_channels),
        bbox_head=dict(in_channels=_channels),
        mask_roi_extractor=dict(out_channels=_channels),
        mask_head=dict(in_channels=_channels),
    ),
)
