"""The commands `candles`, `doctor` and `migrate`."""

from __future__ import annotations

import re
from dataclasses import replace

from tests.acceptance.commands import NOON, Penstock

_COLUMNS = {
    "open_time",
    "close_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "taker_base",
    "taker_quote",
    "trades",
    "closed",
}
_HOUR = 3_600_000


async def test_stored_candles_are_shown_as_a_table_or_as_json(
    penstock: Penstock, database_url: str
) -> None:
    # A narrow terminal must not shorten a number.
    penstock = replace(penstock.with_settings(database_url=database_url), columns=30)
    await penstock("collect", "BTC/USDT", "-t", "1h", "--limit", "30")
    newest, asked, short, empty = await penstock.all_of(
        "candles BTC/USDT -t 1h --limit 3",
        "candles btcusdt -t 1h --json --start 2026-01-15T05:00 --end 2026-01-15T08:00+01:00",
        "candles BTC/USDT -t 1h --json",
        "candles BTC/USDT -t 1h --start 2030-01-01",
    )
    title, head, *rows = newest.out.splitlines()
    assert "…" not in newest.out
    assert title.strip() == "BTC/USDT 1h"
    assert head.split() == ["opened", "(UTC)", "open", "high", "low", "close", "volume"]
    assert [row.split()[:2] for row in rows] == [
        ["2026-01-15", f"{hour}:00:00"] for hour in (10, 11, 12)
    ]
    assert [row.split()[-1] == "open" for row in rows] == [False, False, True]

    # 8:00 at an offset of one hour is 7:00 UTC.
    assert [candle["open_time"] for candle in asked.json] == [NOON - 7 * _HOUR, NOON - 6 * _HOUR]
    for candle in asked.json:
        assert candle.keys() == _COLUMNS
        assert re.fullmatch(r"\d+\.\d{8}", candle["close"])
        assert candle["closed"] is True
    assert len(short.json) == 20
    assert (empty.code, empty.out) == (0, "")
    assert empty.err == "no stored candles of BTC/USDT 1h in that range\n"


async def test_an_uncollected_series_is_reported_with_the_command_that_collects_it(
    penstock: Penstock,
) -> None:
    await penstock("collect", "BTC/USDT", "-t", "1h", "--limit", "2")
    never, unknown = await penstock.all_of("candles ETH/USDT -t 1h", "candles BTCUSTD -t 1h")
    assert never.code == 2
    assert (
        never.complaint
        == "ETH/USDT was never collected in 1h; to collect it: penstock collect ETH/USDT -t 1h"
    )
    assert unknown.code == 2
    assert "did you mean BTC/USDT" in unknown.complaint


async def test_migrate_creates_the_schema_once_and_doctor_finds_no_problem(
    penstock: Penstock, empty_database_url: str
) -> None:
    penstock = penstock.with_settings(database_url=empty_database_url)
    made = await penstock("migrate")
    assert (made.code, made.err) == (0, "")
    assert re.fullmatch(r"schema \d{4}, was empty\n", made.out)
    again, healthy = await penstock.all_of("migrate", "doctor")
    assert (again.code, again.out) == (0, made.out.replace("was empty", "nothing to do"))
    assert (healthy.code, healthy.err) == (0, "")
    _, _, database, secrets, exchange = healthy.out.splitlines()
    answers = r"(SQLite [\d.]+ answers, schema \d{4}; no damage found|PostgreSQL [\d.]+ .* \d{4})"
    assert re.fullmatch(f"ok +database: {answers}", database)
    assert re.fullmatch(r"ok +secrets: 0 stored, no key yet", secrets)
    assert re.fullmatch(
        r"ok +binance: reachable at http://127.0.0.1:\d+, its clock is [-+][\d.]+ s from ours",
        exchange,
    )


async def test_doctor_names_every_problem(penstock: Penstock) -> None:
    broken = penstock.with_settings(
        binance_url="http://127.0.0.1:1",
        database_url="postgresql://user:hush-hush@127.0.0.1:1/name",
    )
    found = await broken("doctor")
    assert found.code == 1
    _, place, database, rest = found.out.splitlines()
    assert place.endswith("://user:***@127.0.0.1:1/name")
    assert database.startswith("FAIL database: the database cannot be used now: connection failed")
    assert rest == "The rest is checked once the database can be used."
    unanswered = await penstock.with_settings(binance_url="http://127.0.0.1:1")("doctor")
    assert unanswered.code == 1
    _, _, database, secrets, exchange = unanswered.out.splitlines()
    assert (database[:4], secrets[:4]) == ("ok  ", "ok  ")
    assert exchange.startswith("FAIL binance: GET http://127.0.0.1:1/api/v3/time:")
