"""Deep-MAC in a size for two CPU cores: two stacks of a narrow hourglass, images of 256 pixels.

Everything as in ``deep_mac/hg104.py`` but narrower, with three downsamplings in place of five, and with plain batch
norm whose statistics last over many small batches. Not a model of the paper.
Command: ``psis-bench run split=voc2nonvoc model=deep_mac/small``.
"""

_base_ = "./hg104.py"

mask_head = "hourglass20"
schedule = "cpu"
batch_size = 2
trunk_overrides = dict(num_init_channels=16, norm_type="BN", norm_momentum=0.05)
_side = 256

model = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    backbone=dict(num_init_channels=16, widths=(2, 3, 4, 4), blocks=(1, 1, 1, 1), norm_type="BN", norm_momentum=0.05),
    detection_head=dict(in_channels=32, head_width=32),
    mask_branch=dict(in_channels=32, head_width=32),
)

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
