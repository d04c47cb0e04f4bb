"""CPMask's schedule: 180,000 iterations of 16 images (about 24 epochs of COCO), the "2x" of FCOS.

Source: MMDetection's ``fcos_r101-caffe_fpn_gn-head_ms-640-800-2x_coco.py`` in iterations of train2017: SGD, momentum
0.9, learning rate 0.01, divided by ten at two thirds and eleven twelfths, weight decay 1e-4 (none on biases, which
learn twice as fast), gradients clipped at 35; linear warm-up from a third over 500 iterations, as its later versions.
The paper's own schedule is not known.
"""

max_iters = 180_000
checkpoint_interval = 1000
log_interval = 50
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=180_000, milestones=[120_000, 165_000], gamma=0.1),
]
