"""Pipelines and grids: stages, their results."""
