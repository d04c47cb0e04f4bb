"""CPMask in a size for two CPU cores: ResNet-18-FPN with half the channels, images of 224 pixels.

Everything as in ``cpmask/r101.py`` but narrower and from scratch, with plain batch norm, a level of stride 4 for its
small images, and fewer convolutions before boxes and boundaries. Detections below 0.1, most of what so short a training
finds, are not segmented. Not a model of the paper.
Command: ``psis-bench run split=voc2nonvoc model=cpmask/small``.
"""

_base_ = "./r101.py"

schedule = "cpu_detector"
batch_size = 2
# The crop's size is the mask head's, the width of what follows stays as small as the rest.
slots = dict(upsample_channels=[])
trunk_overrides = dict(num_init_channels=8, norm_type="BN", norm_momentum=0.05)
_width = 32
_strides = (4, 8, 16, 32, 64)

model = dict(
    backbone=dict(
        depth=18,
        base_channels=32,
        frozen_stages=-1,
        norm_cfg=dict(type="BN", momentum=0.05, requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=_width, start_level=0),
    bbox_head=dict(
        in_channels=_width,
        feat_channels=_width,
        stacked_convs=1,
        strides=list(_strides),
        regress_ranges=((-1, 32), (32, 64), (64, 128), (128, 256), (256, 1e8)),
        norm_cfg=dict(num_groups=8),
    ),
    mask_branch=dict(
        in_channels=_width,
        strides=_strides[:3],
        boundary_trunk=dict(num_init_channels=8, convs=2, norm_type="BN", norm_momentum=0.05),
        affinity_channels=16,
        upsample_channels=32,
    ),
    test_cfg=dict(nms_pre=300, score_thr=0.1),
)

_scale = (224, 224)
train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadMaskSupervision"),
    dict(type="RandomResize", scale=_scale, ratio_range=(0.8, 1.2), keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackMaskSupervision"),
]
test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="Resize", scale=_scale, keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor")),
]
