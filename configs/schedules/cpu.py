"""A schedule for two CPU cores: AdamW, a short warm-up and a cosine to zero.

Not from the paper. Its length is for the small models on the synthetic set; give ``iterations=2400`` or more for real
images. All points in time below scale with it. Measured times: docs/results.md.
"""

max_iters = 600
checkpoint_interval = 100
log_interval = 10
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=30, end=600, T_max=570, eta_min=1e-6),
]
