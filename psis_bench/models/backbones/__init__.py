"""Backbones that MMDetection does not have."""
