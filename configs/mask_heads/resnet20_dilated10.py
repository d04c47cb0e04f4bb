"""ResNet-20 with its first 10 convolutions of 3x3 dilated by 2: a wider view without depth or parameters.

Paper Table 6 ("10 replaced": 32.7 / 39.1 / 30.6 mask AP overall / VOC / non-VOC); no released code.
Depth 20. Parameters with 64 initial channels: 3,546,817 in Deep-MAC (50 channels in, 1x1 convolution out), as
``mask_head=resnet20``, which is the row "0 replaced". An output pixel sees 61 x 61, where ResNet-20's sees 41 x 41.
Which 10 are dilated the paper does not say. The first ("growing the receptive field early seems to benefit", section 7)
is our reading; the last are ``dilations=(1,) * 10 + (2,) * 10``, every second ``(1, 2) * 10``.
The last two blocks have 192 channels, as in the code; Table 14 says 128 (see ``resnet20_table14.py``).
Crops for Deep-MARC: 16 x 16, our choice (the paper has no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="ResNetTrunk", num_init_channels=64, widths=(2, 3), blocks=(8, 2), dilations=(2,) * 10 + (1,) * 10)
depth = 20
roi_size = 16
upsample_channels = 64
