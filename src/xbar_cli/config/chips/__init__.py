"""Sections about chips: what an evaluation asks of them, and what is done to them in their life."""
