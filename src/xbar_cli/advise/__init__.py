"""What an evaluation loses by which of its imperfections, and what wins it back: tried on the same chips."""
