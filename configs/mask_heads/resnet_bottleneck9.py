"""ResNet-bottleneck-9: 3 bottlenecks at the crop's resolution.

Paper Table 14 and Figure 3, a plot without numbers; no released code. Depth 9. Parameters with 64 initial channels:
822,081 in Deep-MAC (50 channels in, 1x1 convolution out).
Channels of the blocks' 1x1, 3x3 and 1x1 convolutions: 3 x (128, 128, 512). Before them a 1x1 convolution of 64.
Table 14 prints a, 4a, a: ``block="bottleneck_as_printed"``, which has 2,024,001 parameters.
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="ResNetTrunk", num_init_channels=64, widths=(2,), blocks=(3,), block="bottleneck", expansions=(4,))
depth = 9
roi_size = 16
upsample_channels = 64
