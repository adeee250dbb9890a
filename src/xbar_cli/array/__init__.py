"""What a grid of cells does: linear arrays fold to `g -> g_eff`; non-linear ones map `(g, v) -> i`."""
