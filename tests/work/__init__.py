"""The loops, with a driven clock, on both databases."""
