"""The program of a user whose Binance is U."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.commands import Penstock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def penstock(tmp_path: Path) -> Penstock:
    return Penstock(tmp_path).with_settings(database_url=f"sqlite:///{tmp_path / 'penstock.db'}")
