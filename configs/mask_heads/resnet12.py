"""ResNet-12: 6 basic blocks at the crop's resolution.

Paper Table 14; official object_detection/meta_architectures/deepmac_meta_arch.py, ResNetMaskNetwork.
Depth 12. Parameters with 64 initial channels: 1,711,937 in Deep-MAC (50 channels in, 1x1 convolution out).
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="ResNetTrunk", num_init_channels=64, widths=(2,), blocks=(6,))
depth = 12
roi_size = 16
upsample_channels = 64
