"""Deep-MARC with ResNet-18-FPN at 1024 x 1024: a cheap full-size model, not in the paper.

Everything else as ``deep_marc/r50.py``. Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=deep_marc/r18 data=coco``.
"""

_base_ = "./r50.py"

model = dict(
    backbone=dict(depth=18, init_cfg=dict(checkpoint="torchvision://resnet18")),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
