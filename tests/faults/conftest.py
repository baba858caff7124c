"""Faults are logged without the variables of every frame: those take longer to write than the tests to run."""

from tests.engine.conftest import plain_logs

__all__ = ["plain_logs"]
