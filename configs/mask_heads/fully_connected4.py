"""Fully connected, 4 layers: every pixel of the mask sees the whole crop.

Paper Table 11 (30.5 / 37.5 / 28.2 mask AP overall / VOC / non-VOC); no released code: hidden layers as wide as the one
of the official 2-layer head are our reading.
Depth 4, after a 1x1 convolution of 64. Parameters with 64 initial channels: 70,261,954 in Deep-MAC (50 channels in), of
which 2 are the 1x1 convolution from one channel to one that the official head does not have.
Glorot-uniform as in the code; appendix A.2.2 says Glorot-normal: ``init_cfg`` of the trunk.
Crops are 32 x 32, as in Deep-MAC; a model with others sets ``side``. For Deep-MARC 32 x 32 is our choice (the paper has
no Deep-MARC with this head); masks are twice that.
"""

trunk = dict(type="FullyConnectedTrunk", num_init_channels=64, side=32, widths=(16, 16, 16))
depth = 4
roi_size = 32
upsample_channels = 64
