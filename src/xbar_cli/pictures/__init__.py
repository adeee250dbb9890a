"""Pictures for print of results over swept keys: what to draw, as values; how, in matplotlib."""
