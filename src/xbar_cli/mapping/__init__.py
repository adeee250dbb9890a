"""Signed weights to non-negative conductances and back."""
