"""Faults are logged without the variables of frames: those take longer than the tests."""

from tests.engine.conftest import plain_logs

__all__ = ["plain_logs"]
