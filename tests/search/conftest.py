"""Figures of one kind are drawn once."""

from tests.drawn import few_figures  # noqa: F401
