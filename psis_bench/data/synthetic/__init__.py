"""A procedural data set in COCO format, hard in the way that matters for masks of unseen classes.

See ``docs/synthetic.md`` for what it looks like and what it measures.
"""

from __future__ import annotations

from psis_bench.data.synthetic.make import ensure_synthetic, make_synthetic, write_set
from psis_bench.data.synthetic.parameters import GENERATOR_VERSION, SceneParameters, SyntheticParameters

__all__ = [
    "GENERATOR_VERSION",
    "SceneParameters",
    "SyntheticParameters",
    "ensure_synthetic",
    "make_synthetic",
    "write_set",
]
