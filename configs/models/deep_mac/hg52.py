"""Deep-MAC with Hourglass-52 at 512 x 512.

The official ``hourglass_52`` (``center_net_hourglass_feature_extractor.py``): one stack, 64 initial channels, 128 at a
quarter of the resolution, 23,435,072 parameters. The paper has it without a detector only (Table 7; see
``detection_free/hg52``) and calls Hourglass-104 two of them; one stack of Hourglass-104 has 93,662,848 parameters:
``num_init_channels=128`` and ``in_channels=256`` below. Everything else as ``deep_mac/hg104.py``.
Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=deep_mac/hg52 data=coco``.
"""

_base_ = "./hg104.py"

model = dict(
    backbone=dict(num_init_channels=64, stacks=1),
    detection_head=dict(in_channels=128, stacks=1),
    mask_branch=dict(in_channels=128, stacks=1),
)
