"""A detector for two CPU cores and any box-prompted segmenter in its boxes: an upper bound that finds boxes itself.

The detector is that of ``mask_rcnn/small.py``, trained on boxes alone; the segmenter is given as for
``promptable/gt_boxes.py``. Not a model of the paper.
Command: ``psis-bench run split=voc2nonvoc model=promptable/small mm.model.segmenter.type=my.Segmenter``.
"""

_base_ = "../grabcut/small.py"

model = dict(segmenter=dict(_delete_=True, type="FullBoxes"))
