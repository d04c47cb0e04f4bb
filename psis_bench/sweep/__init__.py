"""Many runs: jobs from lists and patterns, their states in files, launchers, and the matrix of their scores."""
