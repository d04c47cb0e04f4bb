"""psis_bench: the benchmark and evaluation toolkit for partially supervised instance segmentation.

Boxes for all classes, masks for only some: how good are the masks of the other classes?
"""

__version__ = "0.1.0"
