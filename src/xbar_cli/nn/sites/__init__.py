"""Any JAX function with parameters on arrays: its products of an input with a parameter, found in the traced program."""
