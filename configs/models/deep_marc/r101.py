"""Deep-MARC with ResNet-101-FPN at 1024 x 1024 (paper Tables 1 and 2).

Paper, VOC masks only, mask AP on non-VOC, crop source gt / proposals+gt: default head 29.3 / 19.6,
ResNet-4 27.4 / 21.0, HG-20 33.8 / 20.6, HG-52 34.4 / 20.6. Everything else as ``deep_marc/r50.py``.
Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=deep_marc/r101 mask_head=hourglass52 data=coco``.
"""

_base_ = "./r50.py"

model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint="torchvision://resnet101")))
