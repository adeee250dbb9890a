"""What an evaluation says of its chips: summary, figures, and their ages."""
