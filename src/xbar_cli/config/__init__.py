"""Configuration: one pydantic section per file. Needs no JAX."""
