"""How a memristor switches: what pulses of one size and of either sign make of its conductance."""
