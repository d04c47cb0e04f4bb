"""Mask R-CNN as published, with a mask for each class, ResNet-50-FPN: what full supervision gives.

Under a split with unseen classes the masks of those are never learned. The paper's Table 12 (class-specific, all masks:
37.2) has another batch norm, image size and schedule: that row is ``recipe=table12/specific``. Everything else as
``mask_rcnn/agnostic_r50.py``. Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=fully_supervised model=mask_rcnn/specific_r50 data=coco``.
"""

_base_ = "./agnostic_r50.py"

model = dict(roi_head=dict(mask_head=dict(class_agnostic=False)))
