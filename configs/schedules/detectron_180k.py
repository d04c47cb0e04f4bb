"""Detectron's 1x schedule for batches of 8 images: 180,000 iterations (about 12 epochs of COCO).

Source: the ResNet-101 configurations of ronghanghu/seg_every_thing: learning rate 0.01, divided by ten at 120,000 and
160,000; everything else as ``detectron_90k.py``. Batch size is set in the model's config.
"""

max_iters = 180_000
checkpoint_interval = 1000
log_interval = 50
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=180_000, milestones=[120_000, 160_000], gamma=0.1),
]
