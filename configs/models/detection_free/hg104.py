"""Deep-MAC without a detector, Hourglass-104 at 512 x 512 (paper Tables 4 and 7).

Paper, VOC masks only, GT-box mIoU overall / VOC / non-VOC. Table 4: ResNet-4 67.0 / 78.6 / 62.1, HG-20 78.6 / 81.0 /
77.8, HG-52 78.9 / 81.1 / 79.2 (of these only HG-20's row is the class mean of its parts). Table 7, with ResNet-4:
71.4 / 79.2 / 68.8. The model is ``deep_mac/hg104`` without detection heads and losses; Table 4 does not name the
Hourglass, nor does either table give a schedule. Unverified: mIoU (no GPU run yet); starts from scratch.
Command: ``psis-bench run split=voc2nonvoc model=detection_free/hg104 mask_head=hourglass20 data=coco``.
"""

_base_ = "../deep_mac/hg104.py"

slots = dict(_delete_=True, trunk=["model.mask_branch.trunk"])

model = dict(
    _delete_=True,
    type="DetectionFree",
    data_preprocessor={{_base_.model.data_preprocessor}},
    backbone={{_base_.model.backbone}},
    mask_branch={{_base_.model.mask_branch}},
)
