"""ShapeMask with ResNet-101-FPN at 1024 x 1024.

ShapeMask's abstract gives +6.4 and +3.8 AP over Mask^X R-CNN (23.8, 29.5 in Table 8), so mask AP of unseen classes is
30.2 for VOC to non-VOC and 33.3 for non-VOC to VOC. Numbers from the official ``shapemask_config.py`` (tensorflow/tpu,
``models/official/detection``): 9 anchors of size 4 at P3 to P7, focal loss 0.4 and 1.5, Huber loss 0.15 with weight 50,
eight boxes an image moved by 0.025, margin 1.25, crops of 32 x 32 from P3 to P5, masks of 128 x 128, 128 channels,
losses 0.1, 1 and 1, batch 64, scale jitter 0.8 to 1.2; image size and ResNet-101 from its benchmark page.
Unverified: AP of this config (no GPU run yet).

Huber loss h(x) = 0.15 smooth_l1(x, beta=0.15), and 50 / 4 coordinates x 0.15 = 1.875. Deviations and what the sources
leave open: docs/models/shapemask.md.
Command: ``psis-bench run split=voc2nonvoc model=shapemask/r101 data=coco``.
"""

mask_head = "conv4_128"
schedule = "shapemask_2x"
# Over all processes of a run.
batch_size = 64
slots = dict(
    trunk=["model.mask_branch.trunk"],
    num_classes=["model.bbox_head.num_classes"],
    max_detections=["model.test_cfg.max_per_img"],
)
trunk_overrides = dict(norm_type="BN")
_norm = dict(type="BN", eps=1e-4, momentum=0.003, requires_grad=True)
# Their number and size are those of the branch: model.mask_branch.clusters and crop_size.
shape_priors = dict(place="model.mask_branch.priors", at_most=20_000, seed=0)

model = dict(
    type="DetectThenSegment",
    data_preprocessor=dict(
        type="DetDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_mask=True,
        pad_size_divisor=128,
    ),
    backbone=dict(
        type="ResNet",
        depth=101,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        # conv1 and conv2_x, as ``frozen_variable_prefix``.
        frozen_stages=1,
        norm_cfg=_norm,
        norm_eval=False,
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
        norm_cfg=_norm,
    ),
    bbox_head=dict(
        type="RetinaSepBNHead",
        num_classes=80,
        num_ins=5,
        in_channels=256,
        stacked_convs=4,
        feat_channels=256,
        norm_cfg=_norm,
        anchor_generator=dict(
            type="AnchorGenerator",
            octave_base_scale=4,
            scales_per_octave=3,
            ratios=[0.5, 1.0, 2.0],
            strides=[8, 16, 32, 64, 128],
        ),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[1.0] * 4),
        loss_cls=dict(type="FocalLoss", use_sigmoid=True, gamma=1.5, alpha=0.4, loss_weight=1.0),
        loss_bbox=dict(type="SmoothL1Loss", beta=0.15, loss_weight=1.875),
    ),
    mask_branch=dict(
        type="ShapeMaskBranch",
        in_channels=256,
        trunk=None,
        strides=(8, 16, 32),
        channels=128,
        crop_size=32,
        upsample_factor=4,
        clusters=20,
        priors=None,
        outer_scale=1.25,
        samples=8,
        jitter=0.025,
        first_probability=0.01,
        prior_weight=0.1,
        coarse_weight=1.0,
        fine_weight=1.0,
        boxes_at_once=32,
    ),
    train_cfg=dict(
        assigner=dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0, ignore_iof_thr=-1),
        # Focal loss learns from every anchor.
        sampler=dict(type="PseudoSampler"),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.05, nms=dict(type="nms", iou_threshold=0.5), max_per_img=100
    ),
)

image_scale = (1024, 1024)
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
