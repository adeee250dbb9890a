"""Arrays of 1T-1R cells with wires: Newton's method, sweeps of a fixed-point iteration, a fold to matrix products."""
