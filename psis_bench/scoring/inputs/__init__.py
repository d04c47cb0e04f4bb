"""Annotations and predictions: read, checked, and held as arrays."""
