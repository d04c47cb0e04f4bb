"""Mask R-CNN's own head: four convolutions of 256 channels. The baseline of Deep-MARC.

Paper Table 2 ("Default"); official official/projects/deepmac_maskrcnn/modeling/heads/instance_heads.py,
``convnet_variant: default``. Depth 4. Parameters: 2,625,537 as a whole Deep-MARC head (256 channels in, transposed
convolution to 256, 1x1 convolution out).
Crops for Deep-MARC: 14 x 14, as in Mask R-CNN; masks are twice that.
"""

trunk = dict(type="ConvTrunk", num_init_channels=64, width=4, convs=4)
depth = 4
roi_size = 14
upsample_channels = 256
