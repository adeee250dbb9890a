"""Commands on many runs: pipelines, grids, searches, and pictures of them."""
