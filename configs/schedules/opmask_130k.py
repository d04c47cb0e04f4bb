"""OPMask's schedule: 130,000 iterations of 16 images (about 18 epochs of COCO).

Source: official ``configs/opmask_R50_FPN_130k.yaml`` (dbtmpl/OPMask) and Detectron2's defaults, on which it stands:
SGD, momentum 0.9, weight decay 1e-4; learning rate 0.02, divided by ten at 120,000; linear warm-up from a thousandth
over 1,000 iterations; each entry of the gradients cut off at 1. Batch size is set in the model's config.
Deviation: the weight decay acts on batch norm as well, where Detectron2's is 0 there.
"""

max_iters = 130_000
checkpoint_interval = 1000
log_interval = 50
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(type="value", clip_value=1.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 1000, by_epoch=False, begin=0, end=1000),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=130_000, milestones=[120_000], gamma=0.1),
]
