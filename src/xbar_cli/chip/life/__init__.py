"""The life of a chip: how it ages, and what is done against that."""
