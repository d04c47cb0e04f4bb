"""Detection-free model for two CPU cores, from scratch: the default, made for the synthetic set.

The mask branch of Deep-MAC on ground-truth boxes (paper section 6, Table 4), with everything narrower:
ResNet-18 with 24 channels, mask heads with 24 where the paper has 64. Not a model of the paper.
Command: ``psis-bench run split=voc2nonvoc``.
"""

mask_head = "hourglass20"
schedule = "cpu"
batch_size = 2
# Without a detector an image without masks has nothing to teach.
only_images_with_masks = True
# Where the choices of a run go in this file.
slots = dict(trunk=["model.mask_branch.trunk"])
# Narrower heads; batch statistics that last over many small batches (the official momentum, 0.9 in
# PyTorch's sense, follows the last batch, which is fine for 128 images and not for 2).
trunk_overrides = dict(num_init_channels=24, norm_momentum=0.05)

model = dict(
    type="DetectionFree",
    data_preprocessor=dict(
        type="DetDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type="ResNet",
        depth=18,
        base_channels=24,
        norm_cfg=dict(type="BN", momentum=0.05),
        norm_eval=False,
    ),
    neck=dict(type="FPN", in_channels=[24, 48, 96, 192], out_channels=32, num_outs=4),
    mask_branch=dict(
        type="DeepMacMaskBranch",
        trunk=None,
        in_channels=32,
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

image_scale = (256, 256)
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
