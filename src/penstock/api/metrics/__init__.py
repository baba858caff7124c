"""The service in numbers."""
