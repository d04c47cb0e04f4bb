"""Hourglass-20: two downsamplings.

Paper Tables 2 and 16, Figure 8; official object_detection/models/keras_models/hourglass_network.py ``hourglass_20``.
Depth 20 (long-range skips not counted). Parameters with 64 initial channels: 5,530,625 in Deep-MAC (50 channels in,
1x1 convolution out), 5,682,177 as a whole Deep-MARC head.
Crops for Deep-MARC: 16 x 16, as in the paper; masks are twice that.
"""

trunk = dict(type="HourglassTrunk", num_init_channels=64, widths=(2, 2, 3), blocks=(1, 2, 2))
depth = 20
roi_size = 16
upsample_channels = 64
