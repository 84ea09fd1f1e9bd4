"""Builders that several rings of tests share."""
