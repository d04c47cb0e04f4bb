"""Mask^X R-CNN in a size for two CPU cores: ResNet-18-FPN, images of 224 pixels.

Everything as in ``mask_rcnn/small.py`` but the mask head, which has 8 channels after the transposed convolution: the
fully connected branch grows with them. Not a model of the paper.
Command: ``psis-bench run split=voc2nonvoc model=mask_x_rcnn/small``.
"""

_base_ = "../mask_rcnn/small.py"

slots = dict(
    num_classes=["model.roi_head.bbox_head.num_classes"],
    roi_size=["model.roi_head.mask_roi_extractor.roi_layer.output_size", "model.roi_head.mask_head.roi_size"],
)

model = dict(
    roi_head=dict(
        type="MaskXRoIHead",
        mask_head=dict(
            _delete_=True,
            type="MaskXHead",
            in_channels=48,
            trunk=None,
            upsample_channels=8,
            roi_size=14,
            detection_features=128,
            hidden_features=64,
            negative_slope=0.1,
            loss_weight=1.0,
        ),
    ),
)
