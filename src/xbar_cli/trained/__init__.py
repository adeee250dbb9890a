"""A trained network as a run: its weights, its data, what training fixed of its devices."""
