"""Layers on 1T-1R arrays with wires: solved at every read, or folded to products with a measured error."""
