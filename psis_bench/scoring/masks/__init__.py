"""Masks predicted on given boxes: how good they are, no detector involved."""
