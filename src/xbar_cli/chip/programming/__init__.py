"""Programming as it is done: pulses and reads that take the devices of a chip to their targets, and what that costs."""
