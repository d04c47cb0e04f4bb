"""ContrastMask with ResNet-101-FPN.

Official ``contrastmask_res101_fpn_coco_1x_nonvoc2voc.py`` (huiserwang/ContrastMask); everything else as
``contrastmask/r50.py``. No published number of it could be verified. Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=nonvoc2voc model=contrastmask/r101 data=coco``.
"""

_base_ = "./r50.py"

model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint="torchvision://resnet101")))
