"""OPMask's head: seven convolutions of 256 channels with batch norm.

Biertimpel et al., Prior to Segment (ICCV 2021); official ``configs/opmask_R50_FPN_130k.yaml`` (dbtmpl/OPMask). Depth 7.
Deviation: the convolutions have biases, which batch norm cancels; the official ones have none.
Crops: 14 x 14; masks are twice that.
"""

trunk = dict(type="ConvTrunk", num_init_channels=64, width=4, convs=7)
depth = 7
roi_size = 14
upsample_channels = 256
