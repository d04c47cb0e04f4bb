"""Mask R-CNN with one mask for any class, ResNet-101-FPN: the first row of the paper's Table 8.

Paper, mask AP: VOC to non-VOC 18.5, non-VOC to VOC 24.7; box AP 38.6 (numbers of Hu et al., whose table the paper
repeats). From ``eval_e2e_R101/e2e_baseline_R101.yaml`` of ronghanghu/seg_every_thing (0bd7b8b): batch 8, 180,000
iterations. Everything else as ``mask_rcnn/agnostic_r50.py``. Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=mask_rcnn/agnostic_r101 data=coco``.
"""

_base_ = "./agnostic_r50.py"

schedule = "detectron_180k"
batch_size = 8

model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint="torchvision://resnet101")))
