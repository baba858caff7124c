"""Alerts: the rules, their states, and the targets that receive them."""
