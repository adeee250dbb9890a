"""What age, reads and temperature do to a device, besides drift."""
