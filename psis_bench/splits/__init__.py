"""Which classes have masks in training, and which are scored as unseen. Needs no torch."""

from psis_bench.splits.protocol import ResolvedSplit, SplitProtocol
from psis_bench.splits.registry import get_split, list_splits

__all__ = ["ResolvedSplit", "SplitProtocol", "get_split", "list_splits"]
