"""Deep-MARC in a size for two CPU cores: ResNet-18-FPN with half the channels, images of 320 pixels.

Everything as in ``deep_marc/r50.py`` but narrower and from scratch, with plain batch norm. Not a model of the
paper. Command: ``psis-bench run split=voc2nonvoc model=deep_marc/small``.
"""

_base_ = "./r50.py"

schedule = "cpu"
# As r50's, but for the width of the mask head's transposed convolution, which stays as small as the rest.
slots = dict(upsample_channels=[])
batch_size = 4
trunk_overrides = dict(num_init_channels=24, norm_type="BN", norm_momentum=0.05)
_norm = dict(type="BN", momentum=0.05)

model = dict(
    backbone=dict(depth=18, base_channels=32, norm_cfg=_norm, init_cfg=None),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64, norm_cfg=None),
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(type="Shared2FCBBoxHead", in_channels=64, fc_out_channels=256, norm_cfg=None),
        mask_roi_extractor=dict(out_channels=64),
        mask_head=dict(in_channels=64, upsample_channels=24),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=256),
        rcnn=dict(sampler=dict(num=128)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=256)),
)

image_scale = (320, 320)
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
