"""OPMask with ResNet-101-FPN.

Official ``configs/opmask_R101_FPN_130k.yaml`` (dbtmpl/OPMask); everything else as ``opmask/r50.py``. No published
number of it could be verified. Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=opmask/r101 data=coco``.
"""

_base_ = "./r50.py"

model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint="torchvision://resnet101")))
