"""Hourglass-20 without encoder and decoder: the same blocks at full resolution, skips kept.

Paper Tables 5 and 16; official object_detection/models/keras_models/hourglass_network.py ``hourglass_20_uniform_size``.
Depth 20 (long-range skips not counted). Parameters with 64 initial channels: 5,513,985 in Deep-MAC (50 channels in,
1x1 convolution out).
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="HourglassTrunk", num_init_channels=64, widths=(2, 2, 3), blocks=(1, 2, 2), encoder_decoder=False)
depth = 20
roi_size = 16
upsample_channels = 64
