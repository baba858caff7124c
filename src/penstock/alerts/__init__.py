"""Alerts: the rules, their states, and who is told."""
