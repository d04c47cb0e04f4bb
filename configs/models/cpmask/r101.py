"""CPMask with ResNet-101-FPN, short side 640 to 800 (paper Table 8): a reading of a paper without code.

Paper, mask AP of unseen classes: VOC to non-VOC 34.0, non-VOC to VOC 36.8, box AP 41.5; fully supervised on test-dev
39.2 (Table 9). FCOS as in MMDetection's ``fcos_r50-caffe_fpn_gn-head-center-normbbox-centeronreg-giou_1x_coco.py``. The
mask branch follows the paper's abstract; its layers, sizes and weights are choices of this package:
docs/models/cpmask.md lists each. Unverified: AP of this config (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=cpmask/r101 data=coco``.
"""

mask_head = "conv4"
schedule = "cpmask_2x"
# Over all processes of a run.
batch_size = 16
slots = dict(
    trunk=["model.mask_branch.trunk"],
    num_classes=["model.bbox_head.num_classes"],
    max_detections=["model.test_cfg.max_per_img"],
    roi_size=["model.mask_branch.crop_size"],
    upsample_channels=["model.mask_branch.upsample_channels"],
)
trunk_overrides = dict(norm_type="SyncBN")

model = dict(
    type="DetectThenSegment",
    data_preprocessor=dict(
        type="DetDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_mask=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type="ResNet",
        depth=101,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="pytorch",
        init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet101"),
    ),
    neck=dict(
        type="FPN",
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        start_level=1,
        add_extra_convs="on_output",
        num_outs=5,
        relu_before_extra_convs=True,
    ),
    bbox_head=dict(
        type="FCOSHead",
        num_classes=80,
        in_channels=256,
        stacked_convs=4,
        feat_channels=256,
        strides=[8, 16, 32, 64, 128],
        regress_ranges=((-1, 64), (64, 128), (128, 256), (256, 512), (512, 1e8)),
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
        conv_bias=True,
        norm_cfg=dict(type="GN", num_groups=32, requires_grad=True),
        loss_cls=dict(type="FocalLoss", use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type="GIoULoss", loss_weight=1.0),
        loss_centerness=dict(type="CrossEntropyLoss", use_sigmoid=True, loss_weight=1.0),
    ),
    mask_branch=dict(
        type="CpMaskBranch",
        in_channels=256,
        trunk=None,
        strides=(8, 16, 32),
        crop_size=14,
        samples_per_bin=2,
        boundary_trunk=dict(type="ConvTrunk", num_init_channels=64, width=4, convs=4, norm_type="SyncBN"),
        affinity_channels=64,
        upsample_channels=256,
        mask_weight=1.0,
        boundary_weight=1.0,
        affinity_weight=1.0,
        boxes_at_once=100,
    ),
    train_cfg=None,
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.05, nms=dict(type="nms", iou_threshold=0.6), max_per_img=100
    ),
)

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadMaskSupervision"),
    # Short side 640 to 800; the long side is at most 1333 whatever the short one is.
    dict(type="RandomResize", scale=[(1333, 640), (1333, 800)], keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackMaskSupervision"),
]
test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="Resize", scale=(1333, 800), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor")),
]
