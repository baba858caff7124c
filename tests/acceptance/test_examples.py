"""The examples work as described, against a service of their user."""

from __future__ import annotations

import ast
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.commands import put_faults

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock

_EXAMPLES = Path(__file__).parents[2] / "examples"
# The four series of the first collection get answers; the second collection waits until cancelled.
_STOPS = {"name": "gate", "path": "/api/v3/klines", "after": 4}


def test_every_example_has_a_test_here() -> None:
    assert {path.name for path in _EXAMPLES.glob("*.py")} == {"drive_the_api.py"}


async def test_the_api_example_runs_against_a_service(
    penstock: Penstock, exchange: str, database_url: str
) -> None:
    penstock = penstock.with_settings(database_url=database_url, request_concurrency="1")
    async with penstock.serving() as service:
        await put_faults(exchange, _STOPS)
        ended = await penstock.python(
            _EXAMPLES / "drive_the_api.py", service.url, "BTCUSDT", "ETHUSDT"
        )
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    uuid.UUID(lines[0].removeprefix("started: "))
    [result] = [line.removeprefix("result: ") for line in lines if line.startswith("result: ")]
    assert ast.literal_eval(result)["failures"] == {}
    shown = lines[1 : lines.index(f"result: {result}")]
    assert shown[-1].startswith("100 %  completed  Collected data for ")
    assert shown[-1].endswith("(4/4)")
    percentages = [int(line.partition(" %")[0]) for line in shown]
    assert percentages == sorted(percentages)
    assert lines[-2] == "cancelled: cancelled"
    statistics = ast.literal_eval(lines[-1].removeprefix("statistics: "))
    assert (statistics["running"], statistics["failed"], statistics["cancelled"]) == (0, 0, 1)
    assert statistics["completed"] >= 1
    assert await penstock.rows(
        "SELECT state FROM run WHERE kind = 'data_collection' ORDER BY id"
    ) == [("succeeded",), ("cancelled",)]
