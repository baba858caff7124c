"""Sends alerts out: to webhooks, and through Apprise."""
