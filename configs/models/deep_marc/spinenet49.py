"""Deep-MARC with SpineNet-49 at 1280 x 1280, HG-52.

The widths and repeats are those of SpineNet-49 in the official ``official/vision/modeling/backbones/spinenet.py``; the
paper has Deep-MARC with SpineNet-143 alone. Everything else as ``deep_marc/spinenet143.py``.
Unverified: AP (no GPU run yet).
Command: ``psis-bench run split=voc2nonvoc model=deep_marc/spinenet49 data=coco``.
"""

_base_ = "./spinenet143.py"

model = dict(backbone=dict(resample_alpha=0.5, block_repeats=1))
