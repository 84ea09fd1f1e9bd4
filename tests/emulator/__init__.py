"""Tests of the virtual 2N intercom: over real sockets where bytes matter, on a driven clock where time does."""
