"""Deep-MAC with Hourglass-104 and HG-100 at 1024 x 1024: the best one (paper Tables 8 and 9).

Paper, mask AP: VOC to non-VOC 35.5, non-VOC to VOC 39.1, box AP 44.5; fully supervised on test-dev 39.4; 232 ms an
image on a V100. Numbers from the official ``center_net_deepmac_1024x1024_voc_only_tpu-128.config``, which differs from
the one at 512 in size, mask head, learning masks from both stacks, and its start. Unverified: AP (no GPU run yet).
Starts from scratch, where the paper starts the backbone from a CenterNet trained on COCO's boxes at 1024 x 1024.
Command: ``psis-bench run split=voc2nonvoc model=deep_mac/hg104_1024 data=coco``.
"""

_base_ = "./hg104.py"

mask_head = "hourglass100"
_side = 1024

model = dict(data_preprocessor=dict(pad_size_divisor=_side))

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadMaskSupervision"),
    dict(type="RandomFlip", prob=0.5),
    dict(type="ColourJitter", hue=0.02, contrast=(0.8, 1.25), saturation=(0.8, 1.25), brightness=0.2),
    dict(type="RandomSquareCrop", scales=(0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3), max_border=128),
    dict(type="Resize", scale=(_side, _side), keep_ratio=True),
    dict(type="PackMaskSupervision"),
]
test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="Resize", scale=(_side, _side), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor")),
]
