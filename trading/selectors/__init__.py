"""Reads for pages: each returns frozen dataclasses with a number of queries that does not grow with its rows."""
