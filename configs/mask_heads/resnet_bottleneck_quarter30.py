"""ResNet-bottleneck-[1/4]-30: 10 bottlenecks at the crop's resolution, with a quarter of the channels.

Paper Table 15 and Figure 3, a plot without numbers; no released code. Depth 30. Parameters with 64 initial channels:
311,825 in Deep-MAC (50 channels in, 1x1 convolution out).
Channels of the blocks' 1x1, 3x3 and 1x1 convolutions: 5 x (32, 32, 128); 5 x (48, 48, 192).
Before them a 1x1 convolution of 16.
Table 15 prints a, 4a, a: ``block="bottleneck_as_printed"``, which has 689,489 parameters.
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(
    type="ResNetTrunk",
    num_init_channels=64,
    divisor=4,
    widths=(2, 3),
    blocks=(5, 5),
    block="bottleneck",
    expansions=(4, 4),
)
depth = 30
roi_size = 16
upsample_channels = 64
