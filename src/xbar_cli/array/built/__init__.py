"""Converters as they are built: successive approximation, ramp and flash, their parts unequal; fitted thresholds."""
