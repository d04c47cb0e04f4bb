"""The page of a run: one self-contained HTML file with numbers, curves and pictures (no torch)."""
