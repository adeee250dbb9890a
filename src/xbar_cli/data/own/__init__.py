"""Data sets of the user's own: what their files hold, what is checked of it, how they are kept."""
