"""Configs over HTTP: added, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.api.collector import Collector

CONFIGS = "/api/v1/admin/data-collection/configs"


CONFIG = {"symbol": "SOLUSDT", "timeframes": ["1m", "1h"], "interval_minutes": 10}


async def add(service: Collector, **fields: object) -> dict[str, Any]:
    status, body = await service.call("POST", CONFIGS, CONFIG | fields)
    assert status == 201, body
    found: dict[str, Any] = body
    return found


async def refused(
    service: Collector, method: str, path: str, body: object, status: int
) -> dict[str, Any]:
    got, problem = await service.call(method, path, body)
    assert got == status, problem
    found: dict[str, Any] = problem
    return found
