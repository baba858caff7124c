"""Runs: what was asked for, who works on it, and how it ended."""
