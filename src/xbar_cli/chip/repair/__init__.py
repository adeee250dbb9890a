"""What is done about the faults of a chip: a file a remedy, and where they meet in a chip's fabrication."""
