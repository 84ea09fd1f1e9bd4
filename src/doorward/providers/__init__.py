"""Brands, and what a brand must do (`base`). The list of them is in `registry`."""
