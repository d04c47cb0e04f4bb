"""Four convolutions of 128 channels: the decoders of ShapeMask.

Official ``ShapemaskCoarsemaskHead`` and ``ShapemaskFinemaskHead`` (tensorflow/tpu, ``models/official/detection``):
``num_convs: 4``, ``num_downsample_channels: 128``, batch norm and ReLU after each. Depth 4.
Crops: 32 x 32, as there.
"""

trunk = dict(type="ConvTrunk", num_init_channels=64, width=2, convs=4)
depth = 4
roi_size = 32
upsample_channels = 128
