"""Prices, behind one protocol."""
