"""A characterised 1T-1R cell: tables, linear range, surrogates, mismatch, its file."""
