"""ResNet-4: 2 basic blocks at the crop's resolution.

Paper Table 14; official object_detection/meta_architectures/deepmac_meta_arch.py, ResNetMaskNetwork.
Depth 4. Parameters with 64 initial channels: 529,217 in Deep-MAC (50 channels in, 1x1 convolution out).
Crops for Deep-MARC: 16 x 16, our choice: Table 2 has this head under Deep-MARC, but no size and no released code.
"""

trunk = dict(type="ResNetTrunk", num_init_channels=64, widths=(2,), blocks=(2,))
depth = 4
roi_size = 16
upsample_channels = 64
