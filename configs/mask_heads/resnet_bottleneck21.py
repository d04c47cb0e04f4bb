"""ResNet-bottleneck-21: 7 bottlenecks at the crop's resolution.

Paper Table 14 and Figure 3, a plot without numbers; no released code. Depth 21. Parameters with 64 initial channels:
2,640,449 in Deep-MAC (50 channels in, 1x1 convolution out).
Channels of the blocks' 1x1, 3x3 and 1x1 convolutions: 6 x (128, 128, 512); 1 x (192, 192, 768).
Before them a 1x1 convolution of 64.
Table 14 prints a, 4a, a: ``block="bottleneck_as_printed"``, which has 5,571,137 parameters.
The last block is printed as 192, 384, 192, where Table 15 has the quarter of 192, 768, 192: taken for a misprint.
With 384, ``expansions=(4, 2)``: 2,368,577 parameters (4,833,089 if also as printed).
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(
    type="ResNetTrunk",
    num_init_channels=64,
    widths=(2, 3),
    blocks=(6, 1),
    block="bottleneck",
    expansions=(4, 4),
)
depth = 21
roi_size = 16
upsample_channels = 64
