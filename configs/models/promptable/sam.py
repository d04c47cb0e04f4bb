"""Segment Anything (SAM) on given boxes: an upper bound that has seen a billion masks of any class.

Needs ``pip install 'psis_bench[sam]'`` and weights of your own. Not a model of the paper; its rows are marked.
Command: ``psis-bench run split=voc2nonvoc model=promptable/sam mm.model.segmenter.weights=sam_vit_b_01ec64.pth``;
for other sizes also ``mm.model.segmenter.variant=vit_h``.
"""

_base_ = "./gt_boxes.py"

model = dict(segmenter=dict(_delete_=True, type="SegmentAnything", variant="vit_b", weights=None))
