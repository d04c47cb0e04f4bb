"""Hourglass-52: five downsamplings; the head of the best published models.

Paper Tables 2 and 16; official object_detection/models/keras_models/hourglass_network.py ``hourglass_52``.
Depth 52 (long-range skips not counted). Parameters with 64 initial channels: 23,454,593 in Deep-MAC (50 channels in,
1x1 convolution out), 23,606,145 as a whole Deep-MARC head.
Crops for Deep-MARC: 32 x 32, as in the official configs (five downsamplings need it); masks are twice that.
"""

trunk = dict(type="HourglassTrunk", num_init_channels=64, widths=(2, 2, 3, 3, 3, 4), blocks=(2, 2, 2, 2, 2, 4))
depth = 52
roi_size = 32
upsample_channels = 64
