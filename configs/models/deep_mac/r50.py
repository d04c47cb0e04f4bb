"""Deep-MAC with ResNet-50-FPN at 512 x 512: as ``deep_mac/r101.py``, smaller; not in the paper.

Backbone and pyramid from the official ``center_net_resnet_v1_fpn_feature_extractor.py``: Keras' ResNet (stride in the
first 1x1 convolution of a block, BGR images from 0 to 255 minus ImageNet's mean), one map of 64 channels. Keras'
convolutions have biases before batch norm, which change nothing and are left out here. The official config of the
detector alone runs 250,000 steps; Table 3's schedule is not stated, and is taken to be that of Hourglass-104.
Everything else as ``deep_mac/hg104.py``. Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=deep_mac/r50 mask_head=hourglass20 data=coco``.
"""

_base_ = "./hg104.py"

mask_head = "hourglass20"

model = dict(
    data_preprocessor=dict(mean=[103.939, 116.779, 123.68], std=[1.0, 1.0, 1.0]),
    backbone=dict(
        _delete_=True,
        type="ResNet",
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=-1,
        norm_cfg=dict(type="SyncBN", eps=1.001e-5, momentum=0.01, requires_grad=True),
        norm_eval=False,
        style="caffe",
        init_cfg=dict(type="Pretrained", checkpoint="open-mmlab://detectron2/resnet50_caffe"),
    ),
    neck=dict(
        type="CenterNetFPN",
        in_channels=(256, 512, 1024, 2048),
        channels=(64, 128, 256),
        norm_type="SyncBN",
        norm_eps=1e-3,
        norm_momentum=0.01,
    ),
    detection_head=dict(in_channels=64, stacks=1),
    mask_branch=dict(in_channels=64, stacks=1),
)
