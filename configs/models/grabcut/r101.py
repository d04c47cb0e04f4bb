"""Mask GrabCut with ResNet-101-FPN: the second row of the paper's Table 8.

Paper, mask AP: VOC to non-VOC 19.7, non-VOC to VOC 19.6; box AP 38.6, that of the two Mask R-CNN rows beside it
(numbers of Hu et al., whose table the paper repeats). The detector is that of ``mask_rcnn/agnostic_r101.py``, without a
mask head; GrabCut looks at the original image. No source states its settings. Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=grabcut/r101 data=coco``.
"""

_base_ = "../mask_rcnn/agnostic_r101.py"

mask_head = None
slots = dict(
    _delete_=True,
    max_detections=["model.test_cfg.rcnn.max_per_img"],
    num_classes=["model.roi_head.bbox_head.num_classes"],
)

model = dict(
    type="DetectThenPrompt",
    roi_head=dict(mask_roi_extractor=None, mask_head=None),
    segmenter=dict(
        type="GrabCut",
        iterations=5,
        margin=0.5,
        least_margin=10,
        max_pixels=40000,
        least_background=0.05,
        rim=0.05,
    ),
)

test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="KeepOriginalImage"),
    dict(type="Resize", scale=(1333, 800), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor", "original_image")),
]
