"""MMDetection's 1x schedule: 12 epochs of COCO in batches of 16, which are 88,716 iterations.

Source: ``schedule_1x.py`` of MMDetection, on which the official ContrastMask configs stand: SGD, momentum 0.9, weight
decay 1e-4; learning rate 0.02, divided by ten after 8 and 11 epochs; linear warm-up from a thousandth over 500
iterations. Batch size is set in the model's config.
"""

max_iters = 88_716
checkpoint_interval = 1000
log_interval = 50
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 1000, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=88_716, milestones=[59_144, 81_323], gamma=0.1),
]
