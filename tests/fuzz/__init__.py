"""Inputs that nobody should give: every one ends in a result or in one clear line, soon, and leaves nothing half-made."""
