"""Deep-MARC with ResNet-50-FPN for weights of the official TensorFlow code (``psis-bench convert``).

Everything as ``deep_marc/r50.py``, but for what the weights were trained with: 'SAME' padding in the ResNet, and
images padded to a square of 1024 x 1024. It starts from scratch: not one to be trained without such weights.
Command: ``psis-bench convert ckpt-70000 model=deep_marc/r50_tf mask_head=hourglass52 out=r50_hg52.safetensors``.
"""

_base_ = "./r50.py"

model = dict(
    data_preprocessor=dict(pad_size_divisor=1024),
    backbone=dict(type="SameResNet", init_cfg=None),
)
