"""ShapeMask's schedule: 45,000 iterations of 64 images (about 24 epochs of COCO).

Source: official ``shapemask_config.py`` and ``base_config.py`` (tensorflow/tpu, ``models/official/detection``): SGD,
momentum 0.9, learning rate 0.08, divided by ten at 30,000 and 40,000; linear warm-up from 0.0067 over 500 iterations;
l2 1e-4. Batch size is set in the model's config.
Deviation: the weight decay acts on all parameters, as MMDetection has it.
"""

max_iters = 45_000
checkpoint_interval = 1000
log_interval = 50
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.08, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.0067 / 0.08, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=45_000, milestones=[30_000, 40_000], gamma=0.1),
]
