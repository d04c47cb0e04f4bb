"""Deep-MARC with ResNet-50-FPN at 1024 x 1024 (paper Tables 1 and 2; appendix Table 12).

Paper, VOC masks only, mask AP overall / VOC / non-VOC, default head: ``crop_source=gt`` 29.4 / 39.7 / 25.9,
``crop_source=proposals+gt`` 23.5 / 39.5 / 18.2. The official README adds 33.1 non-VOC for ``mask_head=hourglass52``.
Numbers from the official ``deep_mask_head_rcnn_voc_r50.yaml`` and the defaults of ``deep_mask_head_rcnn.py``
(tensorflow/models, deepmac_maskrcnn): batch 64, 70,000 steps, scale jitter 0.8 to 1.25, synchronised batch norm,
anchors of size 8 at P2 to P6, box head with 4 convolutions and one fully connected layer, 100 detections.
Unverified: AP of this config (no GPU run yet).

Deviations: MMDetection's samplers and losses of the detector. Images are padded to multiples of 32 and a jittered one
is used whole, where the official code crops or pads it to 1024 x 1024. The ResNet pads as torchvision's weights were
trained; ``deep_marc/r50_tf.py`` is for weights of the official code.
Batch norm eps 1e-4 and momentum 0.003 (Keras 0.997) as official.
Command: ``psis-bench run split=voc2nonvoc model=deep_marc/r50 mask_head=conv4 crop_source=gt data=coco``.
"""

mask_head = "hourglass20"
schedule = "deep_marc_3x"
# Over all processes of a run.
batch_size = 64
slots = dict(
    trunk=["model.roi_head.mask_head.trunk"],
    crop_source=["model.roi_head.crop_source"],
    max_detections=["model.test_cfg.rcnn.max_per_img"],
    num_classes=["model.roi_head.bbox_head.num_classes", "model.roi_head.mask_head.num_classes"],
    upsample_channels=["model.roi_head.mask_head.upsample_channels"],
    roi_size=["model.roi_head.mask_roi_extractor.roi_layer.output_size"],
)
trunk_overrides = dict(norm_type="SyncBN")
_norm = dict(type="SyncBN", eps=1e-4, momentum=0.003, requires_grad=True)

model = dict(
    type="DeepMarc",
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
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=-1,
        norm_cfg=_norm,
        norm_eval=False,
        style="pytorch",
        init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet50"),
    ),
    neck=dict(type="NormedFPN", in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5, norm_cfg=_norm),
    rpn_head=dict(
        type="LevelNormRPNHead",
        in_channels=256,
        feat_channels=256,
        norm_cfg=_norm,
        # Height over width; the official list is width over height.
        anchor_generator=dict(
            type="AnchorGenerator", scales=[8], ratios=[2.0, 1.0, 0.5], strides=[4, 8, 16, 32, 64], center_offset=0.5
        ),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[1.0] * 4),
        loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type="SmoothL1Loss", beta=1 / 9, loss_weight=1.0),
    ),
    roi_head=dict(
        type="DeepMarcRoIHead",
        crop_source="gt",
        bbox_roi_extractor=dict(
            type="BinCentreRoIExtractor",
            roi_layer=dict(type="BinCentreAlign", output_size=7),
            out_channels=256,
            featmap_strides=[4, 8, 16, 32, 64],
        ),
        bbox_head=dict(
            type="NormedBoxHead",
            in_channels=256,
            conv_out_channels=256,
            fc_out_channels=1024,
            roi_feat_size=7,
            num_classes=80,
            reg_class_agnostic=False,
            norm_cfg=_norm,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
        mask_roi_extractor=dict(
            type="BinCentreRoIExtractor",
            roi_layer=dict(type="BinCentreAlign", output_size=16),
            out_channels=256,
            featmap_strides=[4, 8, 16, 32, 64],
        ),
        mask_head=dict(
            type="DeepMarcMaskHead",
            in_channels=256,
            trunk=None,
            upsample_channels=64,
            # False: a mask for each class (Table 12, class-specific).
            class_agnostic=True,
            num_classes=80,
            # Plain ("BN") in the official code.
            norm_type="SyncBN",
            norm_eps=1e-4,
            norm_momentum=0.003,
            loss_weight=1.0,
        ),
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(
                type="MaxIoUAssigner",
                pos_iou_thr=0.7,
                neg_iou_thr=0.3,
                min_pos_iou=0.3,
                match_low_quality=True,
                ignore_iof_thr=-1,
            ),
            sampler=dict(type="RandomSampler", num=256, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        rpn_proposal=dict(nms_pre=2000, max_per_img=1000, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0),
        rcnn=dict(
            assigner=dict(
                type="MaxIoUAssigner",
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
                match_low_quality=False,
                ignore_iof_thr=-1,
            ),
            sampler=dict(type="RandomSampler", num=512, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True),
            pos_weight=-1,
            debug=False,
        ),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=1000, max_per_img=1000, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0),
        rcnn=dict(
            score_thr=0.05,
            nms=dict(type="nms", iou_threshold=0.5),
            max_per_img=100,
            mask_thr_binary=0.5,
            full_masks=False,
        ),
    ),
)

image_scale = (1024, 1024)
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
