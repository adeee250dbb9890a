"""Data sets: TensorFlow-free TFDS builders, importers and batches. Knows nothing of crossbars."""
