"""Hourglass-20 without long-range skips: does the effect need them?

Paper Tables 5 and 16; official object_detection/models/keras_models/hourglass_network.py ``hourglass_20_no_shortcut``.
Depth 20 (long-range skips not counted). Parameters with 64 initial channels: 4,644,353 in Deep-MAC (50 channels in,
1x1 convolution out).
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="HourglassTrunk", num_init_channels=64, widths=(2, 2, 3), blocks=(1, 2, 2), long_range_skips=False)
depth = 20
roi_size = 16
upsample_channels = 64
