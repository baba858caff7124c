"""`penstock collect`: what it writes, and what it reports."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import sqlite3

import aiohttp
import pytest

from tests.acceptance.commands import NOON, PROGRAM, Penstock, simulated

_FIELDS = {
    "task_id",
    "symbols",
    "timeframes",
    "candles_written",
    "candles_unchanged",
    "requests",
    "seconds",
    "rows_per_second",
    "rejected",
    "misaligned",
    "failures",
    "gaps",
    "first_gaps",
    "database",
}
_MINUTE = 60_000


async def test_collect_writes_missing_candles_and_the_next_collect_only_new_ones(
    penstock: Penstock, exchange: str, database_url: str
) -> None:
    penstock = penstock.with_settings(database_url=database_url)
    collect = ("collect", "BTC/USDT", "ethusdt", "-t", "1m,5m", "-t", "1h", "-t", "5m", "--json")

    first = (await penstock(*collect, "--limit", "50")).json
    assert set(first) == _FIELDS
    assert (
        first["symbols"],
        first["timeframes"],
        first["candles_written"],
        first["candles_unchanged"],
    ) == (2, 3, 300, 0)
    assert first["requests"] >= 6
    assert first["rows_per_second"] > 0
    assert first["failures"] == {}

    unknown = await penstock("collect", "BNB/USDT", "BTCUSTD", "-t", "1m")
    assert unknown.code == 2
    assert "did you mean BTC/USDT" in unknown.complaint

    again = (await penstock(*collect)).json
    assert again["candles_written"] == 0

    async with (
        aiohttp.ClientSession() as session,
        session.put(
            f"{exchange}/simulator/clock", json={"now": NOON + 5 * _MINUTE + 30_000}
        ) as answer,
    ):
        assert answer.status == 200
    later = (await penstock(*collect)).json
    # For each symbol: five new 1m candles and an open one, a new 5m and an open one, the open 1h.
    assert later["candles_written"] == 2 * (6 + 2 + 1)


async def test_since_reaches_back_and_limit_applies_to_an_empty_series_only(
    penstock: Penstock,
) -> None:
    done = await penstock("collect", "BTCUSDT", "-t", "1h", "--limit", "3")
    assert (done.code, done.err) == (0, "")
    place, written, effort = done.out.splitlines()
    assert place == f"1 symbol × 1 timeframe into sqlite:///{penstock.data / 'penstock.db'}"
    assert written == "3 candles written (3 new, 0 updated), 0 unchanged"
    assert "rows/s" in effort

    assert (await penstock("collect", "BTCUSDT", "-t", "1h", "--limit", "30", "--json")).json[
        "candles_written"
    ] == 0
    assert (
        await penstock("collect", "BTCUSDT", "-t", "1h", "--since", "2026-01-15T05:00", "--json")
    ).json["candles_written"] == 5
    stored = (await penstock("candles", "btc/usdt", "-t", "1h", "--json")).json
    assert [candle["open_time"] for candle in stored] == [
        NOON - hours * 60 * _MINUTE for hours in range(7, -1, -1)
    ]


async def test_bad_input_is_refused_in_one_line_and_leaves_a_fresh_machine_as_it_was(
    penstock: Penstock,
) -> None:
    refused = {
        "collect BTCUSTD -t 1m": "SYMBOL: unknown symbol 'BTCUSTD'; did you mean BTC/USDT",
        "collect BTC/USDT -t 7m": "--timeframe: unknown timeframe '7m'; use one of 5m, 3m, 1m",
        "collect BTC/USDT -t ,": "--timeframe: none was given; name one or more, such as -t 1m,1h",
        "collect BTC/USDT": "Missing option '-t' / '--timeframe'; see penstock collect --help",
        "collect BTC/USDT -t 1m --exchange binanse": (
            "--exchange: unknown exchange 'binanse'; use one of binance"
        ),
        "collect BTC/USDT -t 1m --since 2099-01-01": (
            "--since: 2099-01-01T00:00:00Z is in the future; give a past time"
        ),
        "collect BTC/USDT -t 1m --database mysql://user:secret@host/name": (
            "--database: the URL has to look like sqlite:////path/to/file.db or"
        ),
        "serve --host 0.0.0.0": (
            "--host: 0.0.0.0 can be reached from other machines,"
            " and there is no token that works; create one with"
        ),
    }
    for command, ended in zip(refused, await penstock.all_of(*refused), strict=True):
        assert ended.code == 2, command
        assert ended.complaint.startswith(refused[command])
        assert "secret" not in ended.err
    assert not penstock.data.exists()


async def test_an_unreachable_database_or_exchange_is_reported_in_one_line_with_its_exit_code(
    penstock: Penstock,
) -> None:
    (penstock.folder / "file").write_text("not a folder")
    collect = "collect BTC/USDT -t 1m --database"
    commands = {
        f"{collect} sqlite:///{penstock.folder}/file/penstock.db": "penstock.db cannot be used: ",
        f"{collect} postgresql://user:secret@127.0.0.1:1/name": (
            "the database cannot be used now: connection failed"
        ),
        "candles BTC/USDT -t 1m": "there is no database at",
    }
    for command, ended in zip(commands, await penstock.all_of(*commands), strict=True):
        assert ended.code == 4, command
        assert commands[command] in ended.complaint
        assert "secret" not in ended.err

    ended = await penstock.with_settings(binance_url="http://127.0.0.1:1")(
        "collect", "BTC/USDT", "-t", "1m"
    )
    assert ended.code == 4
    assert "Cannot connect to host 127.0.0.1:1" in ended.complaint
    assert not penstock.data.exists()


async def test_some_failing_series_make_the_exit_code_six_and_the_others_are_stored(
    penstock: Penstock,
) -> None:
    async with simulated("server_error:code=502,symbol=ETHUSDT") as url:
        penstock = penstock.with_settings(binance_url=url)
        done = await penstock("collect", "BTC/USDT", "ETH/USDT", "-t", "1m,5m", "--limit", "10")
        assert done.code == 6
        assert "20 candles written" in done.out
        missing, failed = done.err.splitlines()[:2], done.err.splitlines()[2:]
        assert (
            [line.partition(": ")[0] for line in missing]
            == [line.partition(": ")[0] for line in failed]
            == ["ETH/USDT 1m", "ETH/USDT 5m"]
        )
        assert all(line.endswith(": failed") for line in missing)
        assert all("HTTP 502" in line for line in failed)

        all_failed = await penstock("collect", "ETH/USDT", "-t", "1m,5m", "--limit", "10")
        assert all_failed.code == 4
        assert all_failed.complaint.startswith("0 of 2 series finished; ETH/USDT 1m: ")


async def test_a_provider_that_refuses_everything_makes_the_exit_code_three(
    penstock: Penstock,
) -> None:
    async with simulated("html:status=403,path=/api/v3/klines") as url:
        refused = await penstock.with_settings(binance_url=url)("collect", "BTC/USDT", "-t", "1m")
        assert refused.code == 3
        assert "HTTP 403" in refused.complaint


@pytest.mark.parametrize(
    ("stop_signal", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["Ctrl-C", "SIGTERM"],
)
async def test_a_signal_cancels_the_run_and_keeps_what_it_wrote(
    penstock: Penstock, stop_signal: signal.Signals, code: int
) -> None:
    async with simulated("hang:path=/api/v3/klines,symbol=ETHUSDT") as url:
        penstock = penstock.with_settings(
            binance_url=url, request_deadline_s="600", request_idle_s="600"
        )
        async with penstock.started(
            "collect", "BTC/USDT", "ETH/USDT", "-t", "1m", "--limit", "10"
        ) as collecting:
            while _look(penstock, "SELECT count(*) FROM candle") != [(10,)]:
                await asyncio.sleep(0.02)
            ended = await collecting.ended(stop_signal)
    assert (ended.code, ended.out, ended.err) == (
        code,
        "",
        "cancelled: written candles stay, the next collection continues from there\n",
    )
    assert _look(penstock, "SELECT state, inserted FROM run") == [("cancelled", 10)]


def _look(penstock: Penstock, query: str) -> list[tuple[object, ...]]:
    """The content of the database; nothing while there is none."""
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(
            sqlite3.connect(f"file:{penstock.data}/penstock.db?mode=ro", uri=True)
        ) as file,
    ):
        return file.execute(query).fetchall()
    return []


async def test_a_terminal_sees_a_bar_and_a_pipe_does_not(penstock: Penstock) -> None:
    shown = await _on_a_terminal(penstock, "collect", "BTC/USDT", "-t", "1m", "--limit", "10")
    assert "Collecting" in shown
    assert "━" in shown
    assert "10 candles written (10 new, 0 updated), 0 unchanged" in shown


async def _on_a_terminal(penstock: Penstock, *words: str) -> str:
    def read() -> bytes:
        shown = b""
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:  # how Linux says that the other side is closed
            pass
        return shown

    ours, theirs = pty.openpty()
    environment = {**penstock.process_environment(), "TERM": "xterm"}
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown, code = await asyncio.gather(asyncio.to_thread(read), process.wait())
    os.close(ours)
    assert code == 0
    return shown.decode()
