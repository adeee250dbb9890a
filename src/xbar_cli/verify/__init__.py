"""Oracles from outside, and what the models say to them."""
