from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.commands import Penstock, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def exchange() -> AsyncIterator[str]:
    """The URL of a simulated exchange whose clock stands still."""
    async with simulated() as url:
        yield url


@pytest.fixture
def penstock(tmp_path: Path, exchange: str) -> Penstock:
    """The program of a user who has never run it before, and whose Binance is the simulated one."""
    return Penstock(tmp_path).with_settings(
        binance_url=exchange, request_attempts="1", database_timeout_s="3"
    )
