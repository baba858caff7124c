"""A person at the dashboard: a real Chromium, a real service, simulated providers."""
