"""Training: the loop, the losses and the methods of the four papers."""
