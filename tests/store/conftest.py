"""A database with its alert book."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.engines import engine
from tests.store.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def alarm(database_url: str) -> AsyncIterator[Alarm]:
    async with engine(database_url) as e:
        yield Alarm(e)
