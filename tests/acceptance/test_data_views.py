"""Views of the data: `series`, `coverage`, `gaps`, `schedules`, `candles`, `collect`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from penstock.market.collect.coverage import SpanState
from penstock.market.queries.gaps import REASONS
from tests.acceptance.commands import Penstock
from tests.acceptance.terminal import on_a_terminal
from tests.field.exchange import Exchange, answering, ms, row, rows
from tests.ledgers import HOUR, NOON, fill, key, span, spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.databases import Databases

_LONG = "1000SATS/FDUSD"
_KNOWN = {
    key("BTC/USDT"): spans(
        [120, 100, 80, 70, 30, 3],
        "not_listed",
        "stored",
        "outage",
        "stored",
        "unconfirmed",
        "stored",
    ),
    key(_LONG, "15m"): spans([12_000, 1], "stored", "rejected"),
    key("ETH/USDT", "1d"): spans([20 * 24], "not_collected"),
    key("MANY/USDT"): [
        span(NOON - at * HOUR, NOON - (at - 1) * HOUR, "stored" if at % 2 else "outage")
        for at in range(1_300, 0, -1)
    ],
}
_HOLES = (
    range(ms("2025-03-05T06:00"), ms("2025-03-05T09:00"), HOUR),
    range(ms("2025-03-10T08:00"), ms("2025-03-10T09:00"), HOUR),
)
_COLLECT = ("collect", "BTC/USDT", "-t", "1h")


@pytest.fixture(scope="module")
def known(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with these ledgers; tests only read it."""
    with databases.fresh("sqlite", tmp_path_factory.mktemp("known")) as url:
        fill(url, _KNOWN)
        yield url


@pytest.fixture
def reader(tmp_path: Path, known: str) -> Penstock:
    return Penstock(tmp_path).with_settings(database_url=known)


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    """Hours with two holes."""
    table = [
        row
        for row in rows("2025-03-01T00:00", "2025-03-10T12:00", HOUR)
        if not any(row[0] in hole for hole in _HOLES)
    ]
    async with answering(Exchange(ms("2025-03-10T12:00:30"), {("BTCUSDT", "1h"): table})) as found:
        yield found


@pytest.fixture
def penstock(tmp_path: Path, exchange: Exchange) -> Penstock:
    return Penstock(tmp_path).with_settings(binance_url=exchange.url)


async def seen(penstock: Penstock, columns: int, *words: str) -> list[str]:
    """The lines that a command leaves on a terminal; none is wider than the terminal."""
    async with on_a_terminal(replace(penstock, columns=columns), *words) as terminal:
        assert await terminal.ended() == 0, terminal.text
        lines = terminal.text.replace("\r\n", "\n").splitlines()
        assert [line for line in lines if len(line) > columns] == []
        assert "…" not in terminal.text
        return lines


def joined(lines: list[str]) -> str:
    """The lines as one text, independent of where they were wrapped."""
    return " ".join(" ".join(lines).split())


async def test_series_shows_how_complete_each_series_is(reader: Penstock) -> None:
    found = (await reader("series", "--json")).json
    assert [(line["symbol"], line["timeframe"], line["complete"]) for line in found] == [
        ("BTC/USDT", "1h", 70.0),
        (_LONG, "15m", 99.98),
        ("ETH/USDT", "1d", None),
        ("MANY/USDT", "1h", 100.0),
    ]
    assert found[0].keys() == {"exchange", "symbol", "timeframe", "from", "to", "complete"}
    table = await reader("series")
    assert re.search(
        r"binance +BTC/USDT +1h +2026-01-11 08:00:00 +2026-01-15 12:00:00 +70\.00 %", table.out
    )
    for words in (
        ("series", "btcusdt"),
        ("series", "-t", "1h"),
        ("series", "--exchange", "binance"),
    ):
        assert "BTC/USDT" in (await reader(*words)).out
    nothing = await reader("series", "NOPE")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "no series found\n")


async def test_coverage_shows_the_newest_ranges_and_says_that_older_ones_exist(
    reader: Penstock,
) -> None:
    [series] = (await reader("coverage", "BTCUSDT", "--json")).json
    assert [found["state"] for found in series["spans"]] == [
        found.state.value for found in _KNOWN[key("BTC/USDT")]
    ]
    assert series["more_spans"] is False
    end: tuple[str, ...] = ()
    for shown in (500, 500, 300):
        many = await reader("coverage", "MANY/USDT", *end)
        assert len(many.out.splitlines()) == 1 + shown
        older = re.fullmatch(
            r"MANY/USDT 1h has older ranges; show them with --end (\S+)\n", many.err
        )
        assert (older is None) == (shown == 300)
        end = () if older is None else ("--end", older[1])
    cut = await reader(
        "coverage", "BTCUSDT", "--start", "2026-01-14T07:00", "--end", "2026-01-15T09:00"
    )
    assert [line.split()[6] for line in cut.out.splitlines()[1:]] == ["unconfirmed"]


async def test_gaps_are_listed_with_their_reason_and_its_meaning(reader: Penstock) -> None:
    found = (await reader("gaps", "BTCUSDT", "--json")).json
    assert [(line["reason"], line["candles"]) for line in found] == [
        ("not_listed", 20),
        ("outage", 10),
        ("unconfirmed", 27),
    ]
    table = await reader("gaps", "BTCUSDT")
    assert re.search(
        r"BTC/USDT 1h +2026-01-12 04:00:00 +2026-01-12 14:00:00 +10 +outage +2"
        r" +2026-01-15 13:00:00",
        table.out,
    )
    assert table.err.splitlines() == [
        f"{word}: {REASONS[SpanState(word)]}" for word in ("not_listed", "outage", "unconfirmed")
    ]
    only = await reader("gaps", "--reason", "rejected")
    assert [line.split()[0] for line in only.out.splitlines()[1:]] == [_LONG]
    short = await reader("gaps", "MANY/USDT", "--limit", "3")
    assert len(short.out.splitlines()) == 1 + 3
    assert short.err.splitlines()[-1] == "Showing 3; --limit 30 for more"
    assert (await reader("gaps", "NOPE")).err == "no gap found\n"


async def test_no_hint_names_a_limit_that_is_refused(reader: Penstock) -> None:
    for limit in ("100000", "649", "650"):
        said = (await reader("gaps", "MANY/USDT", "--limit", limit)).err
        assert ("Showing 649" in said) == (limit == "649")
        assert all(int(given) <= 100_000 for given in re.findall(r"--limit (\d+)", said))


_REFUSED = {
    "gaps --reason holiday": "--reason: 'holiday' is unknown; use one of unconfirmed,",
    "gaps --limit 0": "Invalid value for '--limit'",
    "coverage -t 7m": "--timeframe: unknown timeframe '7m'",
    "series -t 1H": "--timeframe: unknown timeframe '1H'; use one of 1h",
    "coverage --start yesterday": (
        "--start: 'yesterday' is not a valid time; write one like 2025-01-31"
    ),
    "gaps --end 2026-02-30": "--end: '2026-02-30' is not a valid time",
}


async def test_an_invalid_view_is_refused_in_one_line(reader: Penstock) -> None:
    for command, refused in zip(_REFUSED, await reader.all_of(*_REFUSED), strict=True):
        assert refused.code == 2, command
        assert refused.complaint.startswith(_REFUSED[command])


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize(
    "view",
    [
        "series",
        "coverage BTC/USDT",
        f"coverage {_LONG}",
        "gaps BTC/USDT",
        f"gaps {_LONG}",
        "gaps --limit 3",
    ],
)
async def test_views_fit_a_terminal_and_cut_nothing_important(
    reader: Penstock, view: str, columns: int
) -> None:
    lines = await seen(reader, columns, *view.split())
    whole = await reader(*view.split())
    # No word is split, except a symbol that is too long for its column.
    words = {word for word in (whole.out + whole.err).split() if not word.startswith(_LONG)}
    assert words <= set(joined(lines).split())
    if columns == 200:
        assert len(lines) == len((whole.out + whole.err).splitlines())
    else:
        assert len(lines) <= 2 * len(whole.out.splitlines()) + 2 * len(whole.err.splitlines())
    # All times have the same form: none is a date alone or ends with the minutes.
    assert re.findall(r"\d{4}-\d\d-\d\d", whole.out) == [
        at[:10] for at in re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", whole.out)
    ]


async def test_schedules_fit_a_terminal_too(penstock: Penstock) -> None:
    nothing = await penstock("schedules", "--database", f"sqlite:///{penstock.folder / 'none.db'}")
    assert nothing.code == 4
    async with penstock.serving() as service:
        config = {
            "symbol": "BTCUSDT",
            "timeframes": ["1h"],
            "cron": "30 2 * * *",
            "timezone": "America/Argentina/Buenos_Aires",
            "enabled": False,
        }
        async with service.session.post(
            "/api/v1/admin/data-collection/configs", json=config
        ) as answer:
            assert answer.status == 201
        found = (await penstock("schedules", "--json")).json
        assert [line["name"] for line in found] == [
            "refresh_symbols",
            "collect_data_all",
            "audit",
            "log_retention",
            "collect_data_1",
        ]
        for columns in (80, 200):
            lines = await seen(penstock, columns, "schedules")
            shown = joined(lines)
            assert all(f"{line['name']} {line['task_type']}" in shown for line in found)
            assert "every 5 min" in shown
            [off] = [line for line in lines if line.startswith("collect_data_1 ")]
            assert " off" in off


async def test_collect_names_the_gaps_that_it_requested(penstock: Penstock) -> None:
    done = await penstock(*_COLLECT, "--since", "2025-03-04")
    assert done.code == 0
    assert done.err.splitlines() == [
        (
            "BTC/USDT 1h: 3 candles missing"
            " from 2025-03-05 06:00:00 to 2025-03-05 09:00:00: unconfirmed"
        ),
        (
            "BTC/USDT 1h: 1 candle missing"
            " from 2025-03-10 08:00:00 to 2025-03-10 09:00:00: unconfirmed"
        ),
    ]
    again = (await penstock(*_COLLECT, "--json")).json
    assert (again["gaps"], again["first_gaps"]) == (0, [])
    report = (
        await penstock(
            *_COLLECT, "--since", "2025-03-05", "--until", "2025-03-06", "--recheck", "--json"
        )
    ).json
    assert report["gaps"] == 1
    assert report["first_gaps"] == [
        {
            "series": "BTC/USDT 1h",
            "start": "2025-03-05T06:00:00Z",
            "end": "2025-03-05T09:00:00Z",
            "candles": 3,
            "reason": "unconfirmed",
        }
    ]


async def test_candles_have_a_line_for_each_gap_at_its_place(penstock: Penstock) -> None:
    await penstock(*_COLLECT, "--since", "2025-03-04")
    shown = (await penstock("candles", "BTC/USDT", "-t", "1h", "--limit", "5")).out.splitlines()
    assert [line.split()[1] for line in shown[2:]] == [
        f"{hour:02}:00:00" for hour in (7, 8, 9, 10, 11, 12)
    ]
    assert shown[3] == " 2025-03-10 08:00:00  1 missing: unconfirmed"
    nothing = await penstock(
        "candles",
        "BTC/USDT",
        "-t",
        "1h",
        "--start",
        "2025-03-05T07:00",
        "--end",
        "2025-03-05T08:00",
    )
    assert nothing.err.splitlines() == [
        "no stored candles of BTC/USDT 1h in that range",
        " 2025-03-05 06:00:00  3 missing: unconfirmed",
    ]
    for columns in (80, 200):
        assert (
            await seen(penstock, columns, "candles", "BTC/USDT", "-t", "1h", "--limit", "5")
            == shown
        )


async def test_the_gap_lines_of_collect_wrap_between_words(penstock: Penstock) -> None:
    async with on_a_terminal(penstock, *_COLLECT, "--since", "2025-03-04") as terminal:
        assert await terminal.ended() == 0
        lines = terminal.text.replace("\r\n", "\n").splitlines()[-4:]
    assert all(len(line) <= penstock.columns for line in lines)
    assert (
        "3 candles missing from 2025-03-05 06:00:00 to 2025-03-05 09:00:00: unconfirmed"
        in joined(lines)
    )


async def test_until_bounds_a_collection_and_recheck_reads_it_again(
    penstock: Penstock, exchange: Exchange
) -> None:
    first = (
        await penstock(*_COLLECT, "--since", "2025-03-02", "--until", "2025-03-03", "--json")
    ).json
    assert first["candles_written"] == 24
    stored = (await penstock("candles", "BTC/USDT", "-t", "1h", "--limit", "1000", "--json")).json
    assert [candle["open_time"] for candle in stored] == list(
        range(ms("2025-03-02"), ms("2025-03-03"), HOUR)
    )
    at = ms("2025-03-02T05:00")
    exchange.table["BTCUSDT", "1h"] = [
        row(at, HOUR, volume="777.00000000") if known[0] == at else known
        for known in exchange.table["BTCUSDT", "1h"]
    ]
    assert (
        await penstock(*_COLLECT, "--since", "2025-03-02", "--until", "2025-03-03", "--json")
    ).json["candles_written"] == 0
    again = (
        await penstock(
            *_COLLECT, "--since", "2025-03-02", "--until", "2025-03-03", "--recheck", "--json"
        )
    ).json
    assert (again["candles_written"], again["candles_unchanged"] >= 23) == (1, True)
    assert (
        len(
            await penstock.with_settings(
                database_url=f"sqlite:///{penstock.data / 'penstock.db'}"
            ).rows("SELECT * FROM restatement")
        )
        == 1
    )


_WRONG = {
    "collect BTC/USDT -t 1h --recheck": (
        "--since: recheck needs a start; give a time, such as 2025-01-31"
    ),
    "collect BTC/USDT -t 1h --since 2025-03-04 --until 2025-03-03": (
        "--until: 2025-03-03T00:00:00Z is not after since, 2025-03-04T00:00:00Z"
    ),
    "collect BTC/USDT -t 1h --since 2025-03-04 --until 2025-03-04": (
        "--until: 2025-03-04T00:00:00Z is not after since, 2025-03-04T00:00:00Z"
    ),
    "collect BTC/USDT -t 1h --until later": (
        "--until: 'later' is not a valid time; write one like 2025-01-31"
    ),
    "collect BTC/USDT -t 1h --since 2099-01-01 --recheck": (
        "--since: 2099-01-01T00:00:00Z is in the future"
    ),
}


async def test_invalid_ranges_are_refused_before_anything_else(
    penstock: Penstock, exchange: Exchange
) -> None:
    for command, refused in zip(_WRONG, await penstock.all_of(*_WRONG), strict=True):
        assert refused.code == 2, command
        assert refused.complaint.startswith(_WRONG[command])
    assert exchange.requests == []
    assert not penstock.data.exists()
