"""Deep-MARC in a size for two CPU cores: ResNet-18-FPN with half the channels, images of 320 pixels.

Everything as in ``deep_marc/r50.py`` but narrower and from scratch, with plain batch norm, and MMDetection's pyramid,
box heads and crops. Not a model of the paper. Command: ``psis-bench run split=voc2nonvoc model=deep_marc/small``.
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
    neck=dict(type="FPN", in_channels=[32, 64, 128, 256], out_channels=64, norm_cfg=None),
    rpn_head=dict(
        _delete_=True,
        type="RPNHead",
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(type="AnchorGenerator", scales=[8], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64]),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[1.0] * 4),
        loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type="SmoothL1Loss", beta=1 / 9, loss_weight=1.0),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=7, sampling_ratio=2),
            out_channels=64,
            featmap_strides=[4, 8, 16, 32],
        ),
        bbox_head=dict(type="Shared2FCBBoxHead", in_channels=64, fc_out_channels=256, norm_cfg=None),
        mask_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", sampling_ratio=2),
            out_channels=64,
            featmap_strides=[4, 8, 16, 32],
        ),
        mask_head=dict(in_channels=64, upsample_channels=24, norm_type="BN", norm_eps=1e-5, norm_momentum=0.1),
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
