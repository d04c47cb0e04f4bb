"""Training and prediction: the only part of the package that drives MMEngine's Runner."""

from psis_bench.models.ops import import_quietly

# Before any module here imports MMDetection, which needs mmcv's operations (psis_bench.models) to be imported at all
# and would print notices to standard output, where results go.
import_quietly("mmdet.datasets")
