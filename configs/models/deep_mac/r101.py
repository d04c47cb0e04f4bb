"""Deep-MAC with ResNet-101-FPN at 512 x 512 (paper Table 3).

Paper, VOC masks only, box AP / mask AP on non-VOC: ResNet-4 32.6 / 22.6, HG-10 32.2 / 24.8, HG-20 32.5 / 26.7.
Everything else as ``deep_mac/r50.py``. Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=deep_mac/r101 mask_head=hourglass20 data=coco``.
"""

_base_ = "./r50.py"

model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint="open-mmlab://detectron2/resnet101_caffe")))
