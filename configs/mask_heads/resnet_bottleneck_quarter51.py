"""ResNet-bottleneck-[1/4]-51: 17 bottlenecks at the crop's resolution, with a quarter of the channels.

Paper Table 15 and Figure 3, a plot without numbers; no released code. Depth 51. Parameters with 64 initial channels:
708,241 in Deep-MAC (50 channels in, 1x1 convolution out).
Channels of the blocks' 1x1, 3x3 and 1x1 convolutions: 6 x (32, 32, 128); 8 x (48, 48, 192); 3 x (64, 64, 256).
Before them a 1x1 convolution of 16.
Table 15 prints a, 4a, a: ``block="bottleneck_as_printed"``, which has 1,525,921 parameters.
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(
    type="ResNetTrunk",
    num_init_channels=64,
    divisor=4,
    widths=(2, 3, 4),
    blocks=(6, 8, 3),
    block="bottleneck",
    expansions=(4, 4, 4),
)
depth = 51
roi_size = 16
upsample_channels = 64
