"""In-situ training: pulses from inputs and errors, and what they make of devices that are the weights."""
