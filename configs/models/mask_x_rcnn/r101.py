"""Mask^X R-CNN with ResNet-101-FPN: the third row of the paper's Table 8.

Paper, mask AP: VOC to non-VOC 23.8, non-VOC to VOC 29.5; box AP 38.6 (numbers of Hu et al., whose table the paper
repeats). From ``eval_e2e_R101/e2e_clsbox_2_layer_mlp_nograd_R101.yaml`` of ronghanghu/seg_every_thing (0bd7b8b): batch
8, 180,000 iterations. Everything else as ``mask_x_rcnn/r50.py``. Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=mask_x_rcnn/r101 data=coco``.
"""

_base_ = "./r50.py"

schedule = "detectron_180k"
batch_size = 8

model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint="torchvision://resnet101")))
