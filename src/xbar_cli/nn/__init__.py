"""Flax NNX networks whose matrix products go through mapping and array."""
