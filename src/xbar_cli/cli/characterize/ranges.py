"""What the subcommands leave out of `xbar characterize`."""

OF_RANGES = ("range.vdd", "range.leakage_limit_ampere", "range.rows", "mismatch")
"""Sections and keys of what only a characterisation prints."""
