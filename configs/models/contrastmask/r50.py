"""ContrastMask with ResNet-50-FPN: OPMask's activation map and pixels that learn from all classes by contrast.

Wang et al., ContrastMask (CVPR 2022). Numbers from the official ``contrastmask_res50_fpn_coco_1x_nonvoc2voc.py`` and
the modules that it names (huiserwang/ContrastMask): batch 16, 12 epochs, shorter side 640 to 800, box head of four
shared convolutions, one more for scores and two for boxes, all of 256 channels, Mask R-CNN's mask head, contrastive
branch of eight convolutions on crops of 28 x 28. Not in the paper's Table 8; no published number of it could be
verified.
Unverified: AP (no GPU run yet). Deviations: docs/models/contrastmask.md.
Command: ``psis-bench run split=nonvoc2voc model=contrastmask/r50 data=coco``.
"""

_base_ = "../mask_rcnn/agnostic_r50.py"

schedule = "mmdet_1x"

model = dict(
    # As in MMDetection's ``mask-rcnn_r50_fpn.py``, on which the official config stands: scale and shift of batch norm
    # are trained, its statistics are not; crops take as many samples as there are pixels.
    backbone=dict(norm_cfg=dict(requires_grad=True)),
    roi_head=dict(
        type="ContrastMaskRoIHead",
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=0)),
        mask_roi_extractor=dict(roi_layer=dict(sampling_ratio=0)),
        bbox_head=dict(
            _delete_=True,
            type="ActivationMapBBoxHead",
            crop_channels=256,
            conv_channels=[256] * 4,
            score_channels=[256],
            box_channels=[256] * 2,
            norm_cfg=None,
            roi_feat_size=7,
            num_classes=80,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="L1Loss", loss_weight=1.0),
        ),
        mask_head=dict(type="ContrastMaskHead", pixel_channels=256),
        wide_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=28, sampling_ratio=0),
            out_channels=256,
            featmap_strides=[4, 8, 16, 32],
        ),
        contrast=dict(
            type="PixelContrast",
            in_channels=256,
            channels=256,
            convs=8,
            projections=3,
            norm_type="BN",
            margin=0.1,
            share=0.3,
            least=5,
            easy_temperature=0.3,
            hard_temperature=0.7,
            loss_weight=0.1,
            first_share=0.25,
            # Four epochs of COCO in batches of 16.
            ramp_iterations=29_572,
        ),
    ),
    rpn_head=dict(loss_bbox=dict(_delete_=True, type="L1Loss", loss_weight=1.0)),
    train_cfg=dict(rpn_proposal=dict(max_per_img=1000), rcnn=dict(assigner=dict(match_low_quality=True))),
)

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadMaskSupervision"),
    dict(type="RandomResize", scale=[(1333, 640), (1333, 800)], keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackMaskSupervision"),
]
