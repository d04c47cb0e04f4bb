"""Detectron's 1x schedule: 90,000 iterations of 16 images (about 12 epochs of COCO).

Source: the ResNet-50 configurations of ronghanghu/seg_every_thing and Detectron's defaults: SGD, momentum 0.9, weight
decay 1e-4; learning rate 0.02, divided by ten at 60,000 and 80,000; linear warm-up from a third over 500 iterations;
biases at twice the rate and without decay. Batch size is set in the model's config.
"""

max_iters = 90_000
checkpoint_interval = 1000
log_interval = 50
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=90_000, milestones=[60_000, 80_000], gamma=0.1),
]
