"""ShapeMask in a size for two CPU cores: ResNet-18-FPN with half the channels, images of 224 pixels.

Everything as in ``shapemask/r101.py`` but narrower and from scratch, with a level of stride 4 for its small images, one
square anchor a cell, batch norm whose statistics last over many small batches, and masks that start from one half
instead of 0.01: a short training has no time to come back from there. Detections below 0.1, most of what so short a
training finds, are not segmented. Not a model of the paper.
Command: ``psis-bench run split=voc2nonvoc model=shapemask/small``.
"""

_base_ = "./r101.py"

schedule = "cpu_detector"
batch_size = 2
trunk_overrides = dict(num_init_channels=8, norm_type="BN", norm_momentum=0.05)
_norm = dict(type="BN", momentum=0.05)
_width = 32
_strides = (4, 8, 16, 32, 64)

model = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    backbone=dict(depth=18, base_channels=32, frozen_stages=-1, norm_cfg=_norm, init_cfg=None),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=_width, start_level=0, norm_cfg=None),
    bbox_head=dict(
        in_channels=_width,
        feat_channels=_width,
        stacked_convs=1,
        norm_cfg=_norm,
        anchor_generator=dict(scales_per_octave=1, ratios=[1.0], strides=list(_strides)),
    ),
    mask_branch=dict(in_channels=_width, strides=_strides[:3], channels=16, first_probability=0.5),
    test_cfg=dict(nms_pre=300, score_thr=0.1),
)

image_scale = (224, 224)
train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadMaskSupervision"),
    dict(type="RandomResize", scale=image_scale, ratio_range=(0.8, 1.2), keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackMaskSupervision"),
]
test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="Resize", scale=image_scale, keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor")),
]
