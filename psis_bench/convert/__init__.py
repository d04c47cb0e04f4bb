"""Weights of the official TensorFlow code for this package: reading, naming, turning. Needs no TensorFlow."""
