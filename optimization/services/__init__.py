"""Writes: one verb, keyword arguments, one transaction."""
