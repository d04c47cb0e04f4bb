"""ContrastMask in a size for two CPU cores: ResNet-18-FPN, images of 224 pixels.

Everything as in ``mask_rcnn/small.py`` but the box head, of three convolutions with 48 channels for scores and as many
for boxes, and the contrastive branch, of three with 24 on crops of 14 x 14. Not a model of the paper.
Command: ``psis-bench run split=nonvoc2voc model=contrastmask/small``.
"""

_base_ = "../mask_rcnn/small.py"

model = dict(
    roi_head=dict(
        type="ContrastMaskRoIHead",
        bbox_head=dict(
            _delete_=True,
            type="ActivationMapBBoxHead",
            crop_channels=48,
            conv_channels=[48, 48],
            score_channels=[48],
            box_channels=[48],
            norm_cfg=None,
            roi_feat_size=7,
            num_classes=80,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
        mask_head=dict(type="ContrastMaskHead", pixel_channels=24),
        wide_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=14, sampling_ratio=2),
            out_channels=48,
            featmap_strides=[4, 8, 16, 32],
        ),
        contrast=dict(
            type="PixelContrast",
            in_channels=48,
            channels=24,
            convs=3,
            projections=3,
            norm_type="BN",
            margin=0.1,
            share=0.3,
            least=5,
            easy_temperature=0.3,
            hard_temperature=0.7,
            loss_weight=0.1,
            first_share=0.25,
            ramp_iterations=200,
        ),
    ),
)
