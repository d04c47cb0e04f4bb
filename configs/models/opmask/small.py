"""OPMask in a size for two CPU cores: ResNet-18-FPN, images of 224 pixels.

Everything as in ``mask_rcnn/small.py`` but the box head, of three convolutions with 48 channels, and the mask head, of
seven with 32, both with plain batch norm. Not a model of the paper.
Command: ``psis-bench run split=voc2nonvoc model=opmask/small``.
"""

_base_ = "../mask_rcnn/small.py"

mask_head = "conv7"
trunk_overrides = dict(num_init_channels=8, norm_type="BN", norm_momentum=0.05)

model = dict(
    roi_head=dict(
        type="OPMaskRoIHead",
        bbox_head=dict(
            _delete_=True,
            type="ActivationMapBBoxHead",
            crop_channels=48,
            conv_channels=[48, 48, 48],
            norm_cfg=dict(type="BN", momentum=0.05),
            roi_feat_size=7,
            num_classes=80,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
        mask_head=dict(type="PriorMaskHead", upsample_channels=32),
    ),
)
