"""Mask GrabCut in a size for two CPU cores: the detector of ``mask_rcnn/small.py``, and GrabCut in its boxes.

The detector learns from the boxes of all classes; no mask is learned from. Images are 224 pixels for the detector and
as they are for GrabCut, which shrinks a box and its surroundings to 10,000 pixels for speed. Not a model of the paper.
Command: ``psis-bench run split=voc2nonvoc model=grabcut/small``.
"""

_base_ = "../mask_rcnn/small.py"

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
        max_pixels=10000,
        least_background=0.05,
        rim=0.05,
    ),
)

test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="KeepOriginalImage"),
    dict(type="Resize", scale=(224, 224), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor", "original_image")),
]
