"""Results beside each other: means of seeds with intervals, and two runs by a paired bootstrap."""
