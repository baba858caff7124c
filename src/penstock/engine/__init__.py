"""The engine: starts queued runs, and submits what schedules want."""
