"""ResNet-20: 10 basic blocks at the crop's resolution.

Paper Table 14; official object_detection/meta_architectures/deepmac_meta_arch.py, ResNetMaskNetwork.
Depth 20. Parameters with 64 initial channels: 3,546,817 in Deep-MAC (50 channels in, 1x1 convolution out).
The last two blocks have 192 channels, as in the code. Table 14 says 128: ``mask_head=resnet20_table14``,
which has 2,894,657 parameters.
Mask AP on non-VOC: 28.8 in Table 5, 29.9 in Table 6 as its row "0 replaced", which is this head too.
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="ResNetTrunk", num_init_channels=64, widths=(2, 3), blocks=(8, 2))
depth = 20
roi_size = 16
upsample_channels = 64
