"""ResNet-20 with all of its 3x3 convolutions dilated by 2: a wider view without depth or parameters.

Paper Table 6 ("20 replaced": 32.8 / 39.3 / 30.7 mask AP overall / VOC / non-VOC); no released code.
Depth 20. Parameters with 64 initial channels: 3,546,817 in Deep-MAC (50 channels in, 1x1 convolution out), as
``mask_head=resnet20``, which is the row "0 replaced". An output pixel sees every second pixel of 81 x 81, where
ResNet-20's sees 41 x 41 without gaps.
The last two blocks have 192 channels, as in the code; Table 14 says 128 (see ``resnet20_table14.py``).
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="ResNetTrunk", num_init_channels=64, widths=(2, 3), blocks=(8, 2), dilations=(2,) * 20)
depth = 20
roi_size = 16
upsample_channels = 64
