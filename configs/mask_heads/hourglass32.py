"""Hourglass-32: three downsamplings.

Paper Table 16; official object_detection/models/keras_models/hourglass_network.py ``hourglass_32``.
Depth 32 (long-range skips not counted). Parameters with 64 initial channels: 10,440,065 in Deep-MAC (50 channels in,
1x1 convolution out), 10,591,617 as a whole Deep-MARC head.
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="HourglassTrunk", num_init_channels=64, widths=(2, 2, 3, 3), blocks=(2, 2, 2, 2))
depth = 32
roi_size = 16
upsample_channels = 64
