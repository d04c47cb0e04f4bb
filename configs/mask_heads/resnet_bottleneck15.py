"""ResNet-bottleneck-15: 5 bottlenecks at the crop's resolution.

Paper Table 14 and Figure 3, a plot without numbers; no released code. Depth 15. Parameters with 64 initial channels:
1,384,257 in Deep-MAC (50 channels in, 1x1 convolution out).
Channels of the blocks' 1x1, 3x3 and 1x1 convolutions: 5 x (128, 128, 512). Before them a 1x1 convolution of 64.
Table 14 prints a, 4a, a: ``block="bottleneck_as_printed"``, which has 3,371,073 parameters.
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="ResNetTrunk", num_init_channels=64, widths=(2,), blocks=(5,), block="bottleneck", expansions=(4,))
depth = 15
roi_size = 16
upsample_channels = 64
