"""The converters of a chip: as they were built, and fitted to what they convert."""
