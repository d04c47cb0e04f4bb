"""Deep-MAC with Hourglass-104 at 512 x 512 (paper Tables 3, 5, 6, 10 and 11, Figure 3).

Paper, VOC masks only, mask AP on non-VOC (Table 3, box AP 39.7 to 39.9): ResNet-4 26.6, HG-10 29.4, HG-20 32.5; the
official config for HG-52 states 32.5. Numbers from ``center_net_deepmac_512x512_voc_only_tpu-32.config`` and the
defaults of ``center_net.proto`` (tensorflow/models): batch 128, two stacks with 187,700,352 parameters, pixel
embedding 16, instance embedding 32, mask loss 5, size loss 0.1, black padding to a square.

Unverified: AP of this config (no GPU run yet). Starts from scratch, where the paper starts the backbone from a
converted ExtremeNet checkpoint (``mm.model.backbone.init_cfg`` takes one). The official config learns masks from the
last stack alone, at a cost of 0.26 mAP by its own comment; here both do, as in the paper
(``mm.model.mask_branch.only_last_stack``).
Command: ``psis-bench run split=voc2nonvoc model=deep_mac/hg104 mask_head=hourglass20 data=coco``.
"""

mask_head = "hourglass52"
schedule = "deep_mac_50k"
# Over all processes of a run.
batch_size = 128
slots = dict(
    trunk=["model.mask_branch.trunk"],
    num_classes=["model.detection_head.num_classes"],
    max_detections=["model.detection_head.max_detections"],
)
# The paper synchronises all batch norm; the official ResNet heads have it plain.
trunk_overrides = dict(norm_type="SyncBN")
_side = 512

model = dict(
    type="DeepMac",
    data_preprocessor=dict(
        type="BlackPaddingPreprocessor",
        mean=[104.01362025, 114.03422265, 119.9165958],
        std=[73.6027665, 69.89082075, 70.9150767],
        bgr_to_rgb=False,
        pad_mask=True,
        pad_size_divisor=_side,
    ),
    backbone=dict(
        type="HourglassBackbone",
        num_init_channels=128,
        widths=(2, 2, 3, 3, 3, 4),
        blocks=(2, 2, 2, 2, 2, 4),
        stacks=2,
        norm_type="SyncBN",
        norm_momentum=0.9,
        init_cfg=None,
    ),
    detection_head=dict(
        type="StackedCenterNetHead",
        in_channels=256,
        num_classes=80,
        stacks=2,
        stride=4,
        head_width=256,
        centre_bias=-2.19,
        min_overlap=0.7,
        focal_alpha=2.0,
        focal_beta=4.0,
        probability_clip=1e-4,
        centre_weight=1.0,
        size_weight=0.1,
        offset_weight=1.0,
        max_detections=100,
    ),
    mask_branch=dict(
        type="DeepMacMaskBranch",
        trunk=None,
        in_channels=256,
        stacks=2,
        only_last_stack=False,
        stride=4,
        crop_size=32,
        crop_grid="edges",
        pixel_embedding=16,
        instance_embedding=32,
        use_coordinates=True,
        head_width=256,
        embedding_kernel=(1, 3),
        samples_per_bin=1,
        forward_all_boxes=True,
        loss_weight=5.0,
        init_cfg=dict(type="Xavier", layer="Conv2d", distribution="uniform"),
    ),
)

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadMaskSupervision"),
    dict(type="RandomFlip", prob=0.5),
    dict(type="ColourJitter", hue=0.02, contrast=(0.8, 1.25), saturation=(0.8, 1.25), brightness=0.2),
    dict(type="RandomSquareCrop", scales=(0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3), max_border=128),
    dict(type="Resize", scale=(_side, _side), keep_ratio=True),
    dict(type="PackMaskSupervision"),
]
test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="Resize", scale=(_side, _side), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor")),
]
