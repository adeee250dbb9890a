"""Energy [J], area [m²] and latency [s] from shapes, mappings and activity."""
