"""Values are read back exactly as written, to the last digit and millisecond."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from sqlalchemy import select, text

from penstock.market.candle import Candle
from penstock.market.tables import candle as candle_table
from penstock.runs.tables import run as runs
from tests.examples import try_examples
from tests.market_builders import MINUTE, ORIGIN, Opened, candle, opened, page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Say
    from tests.trials import Trials

_LAST_MS = 4_102_444_800_000
_EXACT = ("open", "high", "low", "close", "volume", "quote_volume", "taker_base", "taker_quote")

# Up to 24 digits before the point and 18 after it, with the trailing zeros that were sent.
amounts = st.builds(
    lambda number, places: f"{Decimal(number).scaleb(-places):f}",
    st.integers(0, 10**24 - 1),
    st.integers(0, 18),
)
times = st.integers(0, _LAST_MS)

_MANY = (10, 100)


@st.composite
def rows(draw: st.DrawFn) -> list[Candle]:
    """Values of any digits at any ms from 1970 to 2100; the store does not check their order."""
    opens = sorted(draw(st.sets(times, min_size=1, max_size=12)))
    values: list[dict[str, Any]] = [{name: draw(amounts) for name in _EXACT} for _ in opens]
    ends = [draw(times) for _ in opens]
    trades = [draw(st.integers(0, 2**63 - 1)) for _ in opens]
    return [
        candle(at, close_time=end, trades=n, **amounts)
        for at, end, n, amounts in zip(opens, ends, trades, values, strict=True)
    ]


async def written(store: Opened, given_rows: Sequence[Candle]) -> list[dict[str, Any]]:
    """The content of a table into which only these rows were written."""
    await store.change("DELETE FROM candle")
    await store.change("DELETE FROM restatement")
    run = await store.run()
    await store.write(run, page(await store.target(), given_rows))
    await store.finish(run)
    return await store.table()


def test_every_amount_and_time_is_read_back_exactly_and_ranges_are_exact(
    database_url: str, trials: Trials, say: Say
) -> None:
    async def check(sent: list[Candle], start: int, end: int) -> None:
        async with opened(database_url) as store:
            found = await written(store, sent)
            assert [row["open_time"] for row in found] == [row.open_time for row in sent]
            for name in Candle.__struct_fields__[1:]:
                assert [row[name] for row in found] == [getattr(row, name) for row in sent], name
            opens = select(candle_table.c.open_time).where(
                candle_table.c.open_time >= start, candle_table.c.open_time < end
            )
            cut = await store.database.read(
                lambda connection: connection.scalars(
                    opens.order_by(candle_table.c.open_time)
                ).all()
            )
            assert cut == [row.open_time for row in sent if start <= row.open_time < end]

    try_examples(trials, say, _MANY, check, rows(), times, times)


async def test_both_databases_keep_the_same_digits(database_url: str) -> None:
    digits = [
        "12345678901234567890.123456789012345678",
        "0.000000000000000001",
        "100000.00000000",
        "7",
        "0",
        "0.00000000",
        "9" * 24 + "." + "9" * 18,
    ]
    async with opened(database_url) as store:
        found = await written(
            store,
            [candle(ORIGIN + place * MINUTE, volume=value) for place, value in enumerate(digits)],
        )
    assert [row["volume"] for row in found] == digits


async def test_postgresql_stores_numbers_that_can_be_summed_exactly(
    postgres_database: str,
) -> None:
    values = [Decimal("0.1"), Decimal("12345678901234567890.123456789012345678"), Decimal("0.2")]
    async with opened(postgres_database) as store:
        await written(
            store,
            [
                candle(ORIGIN + place * MINUTE, volume=str(value))
                for place, value in enumerate(values)
            ],
        )
        [total] = await store.database.read(
            lambda connection: (
                connection.execute(text("SELECT sum(volume) FROM candle")).scalars().all()
            )
        )
    assert total == Decimal("12345678901234567890.423456789012345678")


async def test_the_time_of_the_database_is_the_current_time(database_url: str) -> None:
    """With a time in another unit the ledger would take no run for dead, or every run."""
    async with opened(database_url) as store:
        run = await store.run()
        [started] = await store.database.read(
            lambda connection: (
                connection.execute(select(runs.c.started_at).where(runs.c.id == run.id))
                .scalars()
                .all()
            )
        )
    assert abs(started - time.time() * 1_000) < 60_000
