"""What MMDetection builds: mask heads, detectors, and the ops they need where mmcv was installed without a compiler.

Importing this package makes ``import mmdet`` possible on such a machine, so import it before MMDetection.
It registers nothing: a trunk is registered by importing `psis_bench.models.mask_heads`, a detector by its module.
"""

from __future__ import annotations

from psis_bench.models import cpu_threads  # noqa: F401 - before ops, which imports torch
from psis_bench.models.ops import install_ops

install_ops()
