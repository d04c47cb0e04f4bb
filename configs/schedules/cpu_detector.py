"""As ``cpu.py`` but shorter, for the small detectors: an iteration of theirs costs twice one of a mask branch alone.

Not from the paper. So short that the detectors barely begin to tell classes apart; give ``iterations=`` for more.
The optimizer's loop over hundreds of small tensors is one call. Measured times: docs/baselines.md.
"""

_base_ = "./cpu.py"

max_iters = 480
optim_wrapper = dict(optimizer=dict(fused=True))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=24),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=24, end=480, T_max=456, eta_min=1e-6),
]
