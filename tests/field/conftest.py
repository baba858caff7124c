"""The program of a user whose Binance address is U, and a small exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.commands import Penstock
from tests.field.small_exchange import SmallExchange, small_exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def penstock(tmp_path: Path) -> Penstock:
    return Penstock(tmp_path).with_settings(database_url=f"sqlite:///{tmp_path / 'penstock.db'}")


@pytest.fixture
async def exchange() -> AsyncIterator[SmallExchange]:
    async with small_exchange(SmallExchange()) as exchange:
        yield exchange
