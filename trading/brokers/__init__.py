"""Brokers, behind one protocol."""
