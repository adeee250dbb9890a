"""Designs searched for: axes, objectives, racing over chips, the study that goes on."""
