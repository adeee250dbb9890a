"""Run directories, checkpoints, results and figures: files. Knows nothing of crossbars."""
