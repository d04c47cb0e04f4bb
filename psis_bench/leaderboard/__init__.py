"""The leaderboard: published rows and submissions of ``model_zoo/`` as a static site and as Markdown (no torch)."""
