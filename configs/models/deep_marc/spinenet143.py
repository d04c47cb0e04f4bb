"""Deep-MARC with SpineNet-143 at 1280 x 1280, HG-52: the paper's best (Tables 8 and 9).

Paper, mask AP: VOC to non-VOC 38.7, non-VOC to VOC 41.0, box AP 48.6; fully supervised on test-dev 42.8; 170 ms an
image on a V100. Numbers from the official ``deep_mask_head_rcnn_voc_spinenet143_hg52.yaml`` and the defaults of
``deep_mask_head_rcnn.py`` and ``maskrcnn.py`` (tensorflow/models): batch 256, 231,000 steps from scratch, scale jitter
0.1 to 2.0, three anchor scales of size 4 at levels 3 to 7, no feature pyramid, stochastic depth 0.2, ReLU (where the
paper's "Protocol C" has Swish), batch norm with momentum 0.99 and eps 1e-3. SpineNet-143 has 60,413,888 parameters,
moving statistics counted. Unverified: AP (no GPU run yet).

``mm.model.backbone.recompute=true`` trades time for memory. Deviations: those of ``deep_marc/r50.py``.
Command: ``psis-bench run split=voc2nonvoc model=deep_marc/spinenet143 data=coco``.
"""

_base_ = "./r50.py"

mask_head = "hourglass52"
schedule = "deep_marc_spinenet"
batch_size = 256
_norm = dict(type="SyncBN", eps=1e-3, momentum=0.01, requires_grad=True)
_strides = [8, 16, 32, 64, 128]
_channels = 256

model = dict(
    data_preprocessor=dict(pad_size_divisor=128),
    backbone=dict(
        _delete_=True,
        type="SpineNet",
        endpoint_channels=_channels,
        width_scale=1.0,
        resample_alpha=1.0,
        block_repeats=3,
        min_level=3,
        max_level=7,
        drop_rate=0.2,
        norm_type="SyncBN",
        norm_eps=1e-3,
        norm_momentum=0.01,
        recompute=False,
        init_cfg=None,
    ),
    neck=None,
    rpn_head=dict(
        in_channels=_channels,
        norm_cfg=_norm,
        anchor_generator=dict(
            _delete_=True,
            type="AnchorGenerator",
            octave_base_scale=4,
            scales_per_octave=3,
            scale_major=False,
            ratios=[2.0, 1.0, 0.5],
            strides=_strides,
            center_offset=0.5,
        ),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=_channels, featmap_strides=_strides),
        bbox_head=dict(in_channels=_channels, norm_cfg=_norm),
        mask_roi_extractor=dict(out_channels=_channels, featmap_strides=_strides),
        mask_head=dict(in_channels=_channels, norm_eps=1e-3, norm_momentum=0.01),
    ),
)

image_scale = (1280, 1280)
train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadMaskSupervision"),
    dict(type="RandomResize", scale=image_scale, ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(type="RandomWindow", crop_size=image_scale),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackMaskSupervision"),
]
test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="Resize", scale=image_scale, keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor")),
]
