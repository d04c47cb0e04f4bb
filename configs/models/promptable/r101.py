"""ResNet-101-FPN's detector and any box-prompted segmenter in its boxes: an upper bound that finds boxes itself.

The detector is that of ``grabcut/r101.py``, trained on boxes alone; the segmenter is given as for
``promptable/gt_boxes.py``. Not a model of the paper. Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=promptable/r101 data=coco mm.model.segmenter.type=my.Segmenter``.
"""

_base_ = "../grabcut/r101.py"

model = dict(segmenter=dict(_delete_=True, type="FullBoxes"))
