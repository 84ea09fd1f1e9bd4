"""Tests of the connect webview's pages: as plain requests, and in a real browser."""
