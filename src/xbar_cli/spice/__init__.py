"""Circuits: ngspice as a shared library, netlists and sweeps. Knows nothing of learning."""
