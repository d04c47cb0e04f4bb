"""Deep-MARC's schedule with SpineNet from scratch: 231,000 iterations of 256 images (about 500 epochs of COCO).

Source: official ``deep_mask_head_rcnn_voc_spinenet143_hg52.yaml``: SGD, momentum 0.9, l2 4e-5; learning rate 0.32,
divided by ten at 219,450 and 226,380; linear warm-up from 0.0067 over 2,000 iterations. The paper calls it "Protocol C"
of SpineNet. Batch size is set in the model's config.
Deviation: the weight decay acts on biases and batch norm as well, as MMDetection has it; Keras decays kernels alone.
"""

max_iters = 231_000
checkpoint_interval = 1000
log_interval = 50
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.32, momentum=0.9, weight_decay=4e-5))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.0067 / 0.32, by_epoch=False, begin=0, end=2000),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=231_000, milestones=[219_450, 226_380], gamma=0.1),
]
