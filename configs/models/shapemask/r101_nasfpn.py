"""ShapeMask with ResNet-101 and NAS-FPN at 1024 x 1024 (paper Table 8).

Paper, mask AP of unseen classes: VOC to non-VOC 33.2, non-VOC to VOC 35.7, box AP 45.4; fully supervised on test-dev
40.0 (Table 9). Seven times the cell of NAS-FPN with 256 channels, as its paper has it, in MMDetection's version; image
size and schedule of this row are in no source that was read. Everything else as ``shapemask/r101.py``.
Unverified: AP of this config (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=shapemask/r101_nasfpn data=coco``.
"""

_base_ = "./r101.py"

model = dict(
    neck=dict(
        _delete_=True,
        type="NASFPN",
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        start_level=1,
        num_outs=5,
        stack_times=7,
        norm_cfg=dict(type="BN", eps=1e-4, momentum=0.003, requires_grad=True),
    )
)
