"""Tests of models import mmcv and MMDetection, which needs mmcv's ops in their place first."""

import psis_bench.models  # noqa: F401
