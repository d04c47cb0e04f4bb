"""GrabCut in given boxes: nothing is trained, and there is no detector.

Its GT-box mIoU is what colours alone give, the row beside the two trivial ones. Every number here is a choice of ours:
docs/models/grabcut.md. Not a model of the paper. Command: ``psis-bench run split=voc2nonvoc model=grabcut/gt_boxes``.
"""

trained = False

model = dict(
    type="PromptOnBoxes",
    data_preprocessor=dict(type="DetDataPreprocessor"),
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
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "original_image")),
]
