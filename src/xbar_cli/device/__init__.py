"""What one cell does: elementwise functions of conductance, voltage and time (S, V, A, s)."""
