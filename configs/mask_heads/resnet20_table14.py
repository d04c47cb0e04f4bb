"""ResNet-20 as the paper prints it: all 10 basic blocks have 128 channels.

Paper Table 14, where the official code, and ``mask_head=resnet20``, give the last two blocks 192. Which of the two the
paper's ResNet-20 is (Table 5: 31.4 / 39.1 / 28.8 mask AP overall / VOC / non-VOC) is not known.
Depth 20. Parameters with 64 initial channels: 2,894,657 in Deep-MAC (50 channels in, 1x1 convolution out).
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="ResNetTrunk", num_init_channels=64, widths=(2,), blocks=(10,))
depth = 20
roi_size = 16
upsample_channels = 64
