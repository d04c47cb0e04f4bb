"""Mask R-CNN's original head: four convolutions of 256 channels without normalisation.

He et al., Mask R-CNN (2017), Figure 4 right; Detectron's ``mask_rcnn_fcn_head_v1up4convs``. As ``conv4`` without batch
norm. Depth 4. Parameters: 2,622,977 as the whole head of a class-agnostic Mask R-CNN (256 channels in, transposed
convolution to 256, 1x1 convolution out).
Crops: 14 x 14; masks are twice that.
"""

trunk = dict(type="ConvTrunk", num_init_channels=64, width=4, convs=4, norm_type=None)
depth = 4
roi_size = 14
upsample_channels = 256
