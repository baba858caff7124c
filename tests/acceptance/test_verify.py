"""`penstock verify` in its own process and through a service, for people and for scripts."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text

from tests.acceptance.commands import NOON, put_faults

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock

_HOUR = 3_600_000
_AT = NOON - 10 * _HOUR
_COLLECT = ("collect", "BTC/USDT", "ETH/USDT", "-t", "1h", "--limit", "30")


async def plant(penstock: Penstock, statement: str) -> None:
    """Change the database while no process owns it."""

    def change() -> None:
        engine = create_engine(penstock.environment["PENSTOCK_DATABASE_URL"])
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()

    await asyncio.to_thread(change)


def with_database(penstock: Penstock) -> Penstock:
    return penstock.with_settings(database_url=f"sqlite:///{penstock.folder / 'penstock.db'}")


async def test_verify_reports_sound_and_damaged_data_here_and_through_a_service(
    penstock: Penstock,
) -> None:
    penstock = with_database(penstock)
    assert (await penstock(*_COLLECT)).code == 0
    whole = await penstock("verify")
    assert (whole.code, whole.out, whole.err) == (0, "60 candles of 2 series: whole\n", "")

    await plant(penstock, f"DELETE FROM candle WHERE open_time = {_AT} AND series_id = 1")
    wrong = await penstock("verify")
    assert wrong.code == 9
    assert wrong.out.splitlines() == [
        "59 candles of 2 series: NOT whole, 1 candle of 1 series wrong",
        "BTC/USDT 1h, 2026-01-15 02:00:00 to 2026-01-15 03:00:00: 1 missing",
        "  2026-01-15 02:00:00 missing",
        "  repair it with: penstock verify BTC/USDT -t 1h --repair",
    ]
    assert max(map(len, wrong.out.splitlines())) <= 80
    assert wrong.err == "missing: the ledger says stored, but the candle is not there\n"
    as_json = await penstock("verify", "BTCUSDT", "-t", "1h", "--json")
    assert (as_json.code, json.loads(as_json.out)["wrong"]) == (9, 1)

    async with penstock.serving() as service:
        there = await penstock("verify")
        assert (there.code, there.out) == (9, wrong.out)
        mended = await penstock("verify", "BTC/USDT", "-t", "1h", "--repair")
        assert (mended.code, mended.out) == (
            0,
            "29 candles of 1 series: whole, 1 candle mended\n",
        ), mended.err
        [task] = [
            task
            for task in (await service.call("GET", "/tasks?task_type=verify"))["tasks"]
            if task["result"]["repair"]
        ]
        assert (task["status"], task["progress"], task["counters"]["inserted"]) == (
            "completed",
            100,
            1,
        )
    compared = (await penstock("verify", "--against", "rest", "--json")).json
    assert (compared["wrong"], compared["compared"], compared["candles"]) == (0, 58, 60)


async def test_bad_input_to_verify_is_refused_in_one_sentence_and_creates_no_database(
    penstock: Penstock,
) -> None:
    penstock = with_database(penstock)
    for words, code, said in (
        (
            ["--against", "archive"],
            2,
            (
                "--against: comparing with the exchange's archive is not available yet;"
                " use rest, which asks its API"
            ),
        ),
        (
            ["--sample", "3"],
            2,
            (
                "--sample: only a comparison with the exchange can be sampled;"
                " add against rest, or leave the sample out"
            ),
        ),
        (
            [],
            4,
            (
                f"there is no database at {penstock.folder / 'penstock.db'} yet;"
                " `penstock collect` and `penstock accounts add` create one"
            ),
        ),
    ):
        refused = await penstock("verify", *words)
        assert (refused.code, refused.complaint) == (code, said)
    assert not (penstock.folder / "penstock.db").exists()


async def test_an_exchange_that_does_not_answer_is_reported_with_exit_code_6(
    penstock: Penstock, exchange: str
) -> None:
    penstock = with_database(penstock)
    assert (await penstock(*_COLLECT)).code == 0
    await put_faults(
        exchange, {"name": "server_error", "path": "/api/v3/klines", "symbol": "ETHUSDT"}
    )
    part = await penstock("verify", "--against", "rest")
    assert part.code == 6
    assert part.out.startswith("60 candles of 2 series: whole\n")
    assert "ETH/USDT 1h: could not be compared: " in part.err
