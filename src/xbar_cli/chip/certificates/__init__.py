"""What approximations of a chip cost, measured before they are used."""
