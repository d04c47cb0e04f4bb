"""Deep-MAC without a detector, Hourglass-52 at 512 x 512 (paper Table 7).

Paper, VOC masks only, GT-box mIoU overall / VOC / non-VOC with HG-52 as mask head too: 78.4 / 80.4 / 77.8. Backbone as
``deep_mac/hg52.py``, everything else as ``detection_free/hg104.py``. Unverified: mIoU (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=detection_free/hg52 mask_head=hourglass52 data=coco``.
"""

_base_ = "./hg104.py"

model = dict(backbone=dict(num_init_channels=64, stacks=1), mask_branch=dict(in_channels=128, stacks=1))
