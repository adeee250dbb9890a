"""Measured devices: their columns with units, and the spread between devices and between the writes of one, apart."""
