"""Deep-MARC's schedule with ResNet backbones: 70,000 iterations of 64 images (about 38 epochs of COCO).

Source: official ``deep_mask_head_rcnn_voc_r50.yaml`` (steps and boundaries) and ``deep_mask_head_rcnn.py`` (the rest):
SGD, momentum 0.9, l2 4e-5; learning rate 0.12, divided by ten at 50,000 and 65,000; linear warm-up from 0.0067 over 500
iterations. The paper calls it "the 3x schedule from Detectron2" (36.5 epochs). Batch size is set in the model's config.
Deviation: the weight decay acts on biases and batch norm as well, as MMDetection has it; Keras decays kernels alone.
"""

max_iters = 70_000
checkpoint_interval = 1000
log_interval = 50
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.12, momentum=0.9, weight_decay=4e-5))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.0067 / 0.12, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=70_000, milestones=[50_000, 65_000], gamma=0.1),
]
