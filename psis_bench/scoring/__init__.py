"""From predictions and annotations to scores: no torch, no GPU, one pass for all groups of classes."""
