"""Hourglass-100: Hourglass-52 with twice the blocks.

Paper Table 17; official object_detection/models/keras_models/hourglass_network.py ``hourglass_100``.
Depth 100 (long-range skips not counted). Parameters with 64 initial channels: 47,221,121 in Deep-MAC (50 channels in,
1x1 convolution out), 47,372,673 as a whole Deep-MARC head.
Crops for Deep-MARC: 32 x 32, as in the official configs (five downsamplings need it); masks are twice that.
"""

trunk = dict(type="HourglassTrunk", num_init_channels=64, widths=(2, 2, 3, 3, 3, 4), blocks=(4, 4, 4, 4, 4, 8))
depth = 100
roi_size = 32
upsample_channels = 64
