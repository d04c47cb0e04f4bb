"""The page of a sweep: its transfer matrix and its jobs, in one HTML file."""
