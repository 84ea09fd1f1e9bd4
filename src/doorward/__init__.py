"""Doorward: a self-hosted server that speaks the Seam API."""

__version__ = "0.1.0"
