"""Masks for boxes that a person gives: reading the boxes and images, and writing the masks. Imports no torch.

The model runs in `psis_bench.engine.user_boxes`.
"""
