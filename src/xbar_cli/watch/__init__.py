"""Runs and sweeps at work, looked at from a browser on this machine."""
