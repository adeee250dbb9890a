"""What a configuration knows: its own keys, the names that values may have, the run that a training starts from."""
