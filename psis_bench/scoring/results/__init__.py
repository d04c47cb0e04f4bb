"""Scores as typed values, the notes that mark them, and their tables."""
