"""Deep-MAC's schedule: 50,000 iterations of 128 images (54 epochs of COCO).

Source: the four official ``center_net_deepmac_*.config`` files (tensorflow/models), at 512 and at 1024 pixels alike:
Adam, epsilon 1e-7, learning rate 1e-3 falling along a cosine to zero at 50,000, linear warm-up from 2.5e-4 over
5,000. No weight decay, no clipping of gradients, no averaging of weights. Batch size is set in the model's config.
"""

max_iters = 50_000
checkpoint_interval = 1000
log_interval = 50
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3, eps=1e-7))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.25, by_epoch=False, begin=0, end=5000),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=5000, end=50_000, T_max=45_000, eta_min=0.0),
]
