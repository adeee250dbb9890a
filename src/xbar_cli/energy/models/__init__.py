"""Cost models: one published architecture a file, and the circuits that they share."""
