"""Penstock keeps a SQL database in step with remote APIs."""

__version__ = "0.1.0"
