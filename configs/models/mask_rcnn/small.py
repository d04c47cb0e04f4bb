"""Mask R-CNN with one mask for any class, in a size for two CPU cores: ResNet-18-FPN, images of 224 pixels.

Everything as in ``agnostic_r50.py`` but narrower and from scratch, with plain batch norm in the backbone, a sixteenth
of the boxes to learn from, half of them objects, and a mask head of 12 and 32 channels. Not a model of the paper.
Command: ``psis-bench run split=voc2nonvoc model=mask_rcnn/small``.
"""

_base_ = "./agnostic_r50.py"

schedule = "cpu_detector"
batch_size = 2
# The width after the transposed convolution stays as small as the rest, whatever the mask head's file says.
slots = dict(upsample_channels=[])
trunk_overrides = dict(num_init_channels=12)
_width = 48

model = dict(
    backbone=dict(
        depth=18,
        base_channels=24,
        frozen_stages=-1,
        norm_cfg=dict(_delete_=True, type="BN", momentum=0.05),
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[24, 48, 96, 192], out_channels=_width),
    rpn_head=dict(in_channels=_width, feat_channels=_width),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=_width),
        bbox_head=dict(in_channels=_width, fc_out_channels=128),
        mask_roi_extractor=dict(out_channels=_width),
        mask_head=dict(in_channels=_width, upsample_channels=32),
    ),
    train_cfg=dict(rpn_proposal=dict(nms_pre=500, max_per_img=256), rcnn=dict(sampler=dict(num=32, pos_fraction=0.5))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=256)),
)

image_scale = (224, 224)
train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadMaskSupervision"),
    dict(type="RandomResize", scale=image_scale, ratio_range=(0.8, 1.25), keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackMaskSupervision"),
]
test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="Resize", scale=image_scale, keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor")),
]
