"""OPMask with ResNet-50-FPN: the box classifier's class activation map is added to the crop of the mask head.

Biertimpel et al., Prior to Segment (ICCV 2021). Numbers from the official ``configs/opmask_R50_FPN_130k.yaml``,
``opmask/modeling/box_head.py`` and ``mask_head.py`` (dbtmpl/OPMask): batch 16, 130,000 iterations, shorter side 640 to
800, box head of four convolutions with 512, 1024, 1024 and 1024 channels and no fully connected layer before the last,
mask head of seven convolutions. Not in the paper's Table 8; no published number of it could be verified.
Unverified: AP (no GPU run yet). Deviations: docs/models/opmask.md.
Command: ``psis-bench run split=voc2nonvoc model=opmask/r50 data=coco``.
"""

_base_ = "../mask_rcnn/agnostic_r50.py"

mask_head = "conv7"
schedule = "opmask_130k"
trunk_overrides = dict(norm_type="SyncBN")

_norm = dict(type="SyncBN", requires_grad=True)

model = dict(
    rpn_head=dict(loss_bbox=dict(_delete_=True, type="L1Loss", loss_weight=1.0)),
    roi_head=dict(
        type="OPMaskRoIHead",
        # As many samples as there are pixels: Detectron2's default.
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=0)),
        mask_roi_extractor=dict(roi_layer=dict(sampling_ratio=0)),
        bbox_head=dict(
            _delete_=True,
            type="ActivationMapBBoxHead",
            crop_channels=256,
            conv_channels=[512, 1024, 1024, 1024],
            norm_cfg=_norm,
            roi_feat_size=7,
            num_classes=80,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="L1Loss", loss_weight=1.0),
        ),
        mask_head=dict(type="PriorMaskHead"),
    ),
    train_cfg=dict(rpn_proposal=dict(max_per_img=1000)),
)

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadMaskSupervision"),
    dict(
        type="RandomChoiceResize",
        scales=[(1333, side) for side in (640, 672, 704, 736, 768, 800)],
        keep_ratio=True,
    ),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackMaskSupervision"),
]
