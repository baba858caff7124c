"""Alerts: the book that keeps their states and messages, the lists of it, and the targets."""
