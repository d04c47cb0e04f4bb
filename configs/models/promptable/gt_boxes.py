"""Any box-prompted segmenter on given boxes: an upper bound, marked with the mask data that it was made with.

Give it with ``mm.model.segmenter.type=module.Class``; docs/models/promptable.md has an example of three lines. Not a
model of the paper.
Command: ``psis-bench run split=voc2nonvoc model=promptable/gt_boxes mm.model.segmenter.type=my.Segmenter``.
"""

trained = False

model = dict(
    type="PromptOnBoxes",
    data_preprocessor=dict(type="DetDataPreprocessor"),
    segmenter=dict(type="FullBoxes"),
)

test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="KeepOriginalImage"),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "original_image")),
]
