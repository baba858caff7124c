"""The HTTP API; the only package that knows the web framework."""
