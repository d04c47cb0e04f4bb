"""Mask^X R-CNN with ResNet-50-FPN, 800 x 1333: mask weights of a class from its detection weights.

Hu et al., Learning to Segment Every Thing (CVPR 2018). Numbers from ronghanghu/seg_every_thing (0bd7b8b),
``eval_e2e/e2e_clsbox_2_layer_mlp_nograd.yaml`` and ``lib/modeling/mask_rcnn_heads.py``: weight transfer 5120 to 256 to
256 with LeakyReLU 0.1, no gradients into the detection weights, and a fully connected branch of 28 * 28 * 256 to
28 * 28, the same for every class. Everything else as ``mask_rcnn/agnostic_r50.py``. Paper Table 8 has the ResNet-101
of ``mask_x_rcnn/r101.py``. Unverified: AP (no GPU run yet). Deviations: docs/models/mask_x_rcnn.md.
Command: ``psis-bench run split=voc2nonvoc model=mask_x_rcnn/r50 data=coco``.
"""

_base_ = "../mask_rcnn/agnostic_r50.py"

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
            in_channels=256,
            trunk=None,
            upsample_channels=256,
            roi_size=14,
            # That of the box head's fully connected layers; four times as much again comes from the box regression.
            detection_features=1024,
            hidden_features=256,
            negative_slope=0.1,
            loss_weight=1.0,
        ),
    ),
)
