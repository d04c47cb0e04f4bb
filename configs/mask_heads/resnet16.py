"""ResNet-16: 8 basic blocks at the crop's resolution.

Paper Table 14; official object_detection/meta_architectures/deepmac_meta_arch.py, ResNetMaskNetwork.
Depth 16. Parameters with 64 initial channels: 2,303,297 in Deep-MAC (50 channels in, 1x1 convolution out).
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="ResNetTrunk", num_init_channels=64, widths=(2,), blocks=(8,))
depth = 16
roi_size = 16
upsample_channels = 64
