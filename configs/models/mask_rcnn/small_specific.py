"""Mask R-CNN with a mask for each class, in a size for two CPU cores.

Everything else as ``mask_rcnn/small.py``. Not a model of the paper.
Command: ``psis-bench run split=fully_supervised model=mask_rcnn/small_specific``.
"""

_base_ = "./small.py"

model = dict(roi_head=dict(mask_head=dict(class_agnostic=False)))
