"""`penstock.script` in a user's script and in a notebook."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.commands import NOON, put_faults

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock

_SILENT = {"name": "hang", "path": "/api/v3/klines", "symbol": "ETHUSDT"}
_HOUR = 3_600_000

_SCRIPT = """
import json
from penstock.script import candles, collect

report = collect(["BTC/USDT", "ethusdt"], ["1m", "1h"], limit=10)
result = report.result
summary = [result.counters.inserted, report.symbols, report.timeframes, dict(result.failures)]
print(json.dumps(summary))
print(json.dumps(collect(["BTC/USDT"], ["1h"], since=SINCE).result.counters.inserted))
newest = candles("BTCUSDT", "1h", limit=3)
print(json.dumps([[row.open_time, row.close, row.closed] for row in newest]))
first = candles("BTC/USDT", "1h", start=SINCE, end=SINCE + 7_200_000)
print(json.dumps([row.open_time for row in first]))
""".replace("SINCE", str(NOON - 20 * _HOUR))

# In a notebook the event loop is already running.
_NOTEBOOK = """
import asyncio, json
from penstock.script import candles, candles_async, collect, collect_async

async def cells():
    collected = collect_async(["BTC/USDT"], ["1m"], limit=5)
    both = await asyncio.gather(asyncio.to_thread(lambda: None), collected)
    stored = len(await candles_async("BTC/USDT", "1m"))
    print(json.dumps([both[1].result.counters.inserted, stored]))
    inserted = collect(["ETH/USDT"], ["1m"], limit=7).result.counters.inserted
    print(json.dumps([inserted, len(candles("ETH/USDT", "1m"))]))
    try:
        collect(["BTCUSTD"], ["1m"])
    except Exception as error:
        print(json.dumps(type(error).__name__))

asyncio.run(cells())
"""

# Evaluates each argument, and prints one line with the outcome.
_TRIES = """
import sys
from penstock.errors import PenstockError
from penstock.script import candles, collect

for call in sys.argv[1:]:
    try:
        eval(call)
        print("nothing")
    except PenstockError as error:
        print(type(error).__name__, getattr(error, "field", "-"), error)
"""

# The script itself sees when the pages are stored.
_CANCEL = """
import asyncio
from penstock.errors import PenstockError
from penstock.script import candles_async, collect_async

async def written():
    while True:
        try:
            if found := await candles_async("BTC/USDT", "1m"):
                return len(found)
        except PenstockError:
            pass
        await asyncio.sleep(0.05)

async def main():
    collecting = asyncio.create_task(collect_async(["BTC/USDT", "ETH/USDT"], ["1m"], limit=10))
    rows = await asyncio.wait_for(written(), 60)
    collecting.cancel()
    await asyncio.wait([collecting])
    print(collecting.cancelled(), rows)

asyncio.run(main())
"""


@pytest.fixture
def penstock(penstock: Penstock, sqlite_database: str) -> Penstock:
    return penstock.with_settings(database_url=sqlite_database)


async def test_a_script_collects_and_reads(penstock: Penstock, database_url: str) -> None:
    penstock = penstock.with_settings(database_url=database_url)
    ended = await penstock.python(_SCRIPT)
    assert (ended.code, ended.err) == (0, "")
    first, since, newest, named = (json.loads(line) for line in ended.out.splitlines())
    assert first == [40, 2, 2, {}]
    # Ten hours were stored; the newest of them is still running.
    assert since == 11
    assert [(opened, closed) for opened, _, closed in newest] == [
        (NOON - 2 * _HOUR, True),
        (NOON - _HOUR, True),
        (NOON, False),
    ]
    assert all(isinstance(close, str) for _, close, _ in newest)
    assert named == [NOON - 20 * _HOUR, NOON - 19 * _HOUR]


async def test_a_notebook_can_call_both_forms_while_its_loop_runs(penstock: Penstock) -> None:
    ended = await penstock.python(_NOTEBOOK)
    assert (ended.code, ended.err) == (0, "")
    assert [json.loads(line) for line in ended.out.splitlines()] == [
        [5, 5],
        [7, 7],
        "InvalidInputError",
    ]


async def test_each_kind_of_wrong_name_has_its_own_error_and_nothing_is_written(
    penstock: Penstock,
) -> None:
    tries = {
        'collect(["BTCUSTD"], ["1m"])': (
            "InvalidInputError symbols symbols: unknown symbol 'BTCUSTD'; did you mean BTC/USDT"
        ),
        'collect(["BTC/USDT"], ["7m"])': (
            "InvalidInputError timeframes timeframes: unknown timeframe '7m'"
        ),
        'collect(["BTC/USDT"], ["1m"], exchange="binanse")': (
            "InvalidInputError exchange exchange: unknown exchange 'binanse'"
        ),
        'collect(["BTC/USDT"], ["1m"], database="mysql://me:secret@host/name")': (
            "InvalidInputError database database: the URL has to look like"
        ),
        'candles("BTC/USDT", "7m")': (
            "InvalidInputError timeframe timeframe: unknown timeframe '7m'"
        ),
        'collect(["BTC/USDT"], ["1m"], limit=3)': "nothing",
        'candles("ETH/USDT", "1m")': "NotFoundError - ",
    }
    ended = await penstock.python(_TRIES, *tries)
    assert (ended.code, ended.err) == (0, "")
    assert "secret" not in ended.out
    for line, (call, expected) in zip(ended.out.splitlines(), tries.items(), strict=True):
        assert line.startswith(expected), call
    assert await penstock.rows("SELECT count(*) FROM run") == [(1,)]


async def test_a_series_of_another_process_is_a_conflict(
    penstock: Penstock, exchange: str, database_url: str
) -> None:
    penstock = penstock.with_settings(database_url=database_url)
    async with penstock.with_settings(
        request_deadline_s="600", request_idle_s="600"
    ).serving() as service:
        await put_faults(exchange, _SILENT)
        task_id = await service.start("ETHUSDT")
        await service.until(task_id, lambda task: task["status"] == "running")
        ended = await penstock.python(_TRIES, 'collect(["ETH/USDT"], ["1m"])')
        holder = (
            service.url
            if database_url.startswith("sqlite")
            else f"Data collection already running: task {task_id} holds"
        )
        assert ended.out.startswith("ConflictError - ")
        assert holder in ended.out
        await service.command.ended(signal.SIGTERM)


async def test_a_missing_database_and_an_unreachable_exchange_have_their_own_errors(
    penstock: Penstock, empty_database_url: str
) -> None:
    away = penstock.with_settings(database_url=empty_database_url, binance_url="http://127.0.0.1:1")
    ended = await away.python(_TRIES, 'candles("BTC/USDT", "1m")', 'collect(["BTC/USDT"], ["1m"])')
    reading, collecting = ended.out.splitlines()
    if empty_database_url.startswith("sqlite"):
        assert reading.startswith("StoreUnavailableError - there is no database at ")
    else:
        assert reading.startswith("ConflictError - the database has no Penstock tables yet")
    assert collecting.startswith("SourceUnavailableError - ")
    assert "Cannot connect to host 127.0.0.1:1" in collecting


async def test_a_cancelled_collection_is_recorded_as_cancelled_and_keeps_its_pages(
    penstock: Penstock, exchange: str
) -> None:
    await put_faults(exchange, _SILENT)
    ended = await penstock.with_settings(request_deadline_s="600", request_idle_s="600").python(
        _CANCEL
    )
    assert (ended.code, ended.out, ended.err) == (0, "True 10\n", "")
    assert await penstock.rows("SELECT state, inserted FROM run") == [("cancelled", 10)]
