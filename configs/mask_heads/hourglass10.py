"""Hourglass-10: one downsampling.

Paper Table 16; official object_detection/models/keras_models/hourglass_network.py ``hourglass_10``.
Depth 10 (long-range skips not counted). Parameters with 64 initial channels: 1,605,249 in Deep-MAC (50 channels in,
1x1 convolution out), 1,756,801 as a whole Deep-MARC head.
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="HourglassTrunk", num_init_channels=64, widths=(2, 2), blocks=(1, 1))
depth = 10
roi_size = 16
upsample_channels = 64
