"""The merge of a declared table: new rows are added, changed ones updated, all counted."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, Text, select

from penstock.columns import Exact, Timestamp
from penstock.runs.run import Counters
from penstock.store.migrate import make_tables
from tests.market_builders import Opened, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_BATCHES: st.SearchStrategy[list[list[dict[str, Any]]]] = st.lists(
    st.lists(
        st.builds(
            dict,
            day=st.integers(0, 5).map(lambda day: day * 86_400_000),
            currency=st.sampled_from(["USD", "GBP", "JPY"]),
            rate=st.integers(0, 3).map(str),
            note=st.one_of(st.none(), st.sampled_from(["a", "b"])),
        ),
        max_size=20,
    ),
    max_size=4,
)
_MORE_THAN_ONE_STATEMENT_TAKES = 1_203
_TABLE = Table(
    "rate",
    MetaData(),
    Column("day", Timestamp, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("rate", Exact, nullable=False),
    Column("note", Text),
)
_KEYS = Table("only_keys", MetaData(), Column("id", Integer, primary_key=True))

Row = dict[str, Any]


@contextlib.asynccontextmanager
async def with_table(url: str) -> AsyncIterator[Opened]:
    async with opened(url) as store:
        await store.database.write(lambda connection: make_tables(connection, [_TABLE, _KEYS]))
        yield store


async def merged(store: Opened, rows: Sequence[Row], table: Table = _TABLE) -> Counters:
    """The counters of a run; its record has the same."""
    context = await store.context_of_a_run()
    counters = await context.write(lambda writing: writing.merge(table, rows))
    row = await store.run_row(context.run)
    assert Counters(row["inserted"], row["updated"], row["unchanged"]) == counters
    await store.finish(context.run)
    return counters


async def held(store: Opened) -> dict[tuple[int, str], Row]:
    rows = await store.database.read(
        lambda connection: [dict(row) for row in connection.execute(select(_TABLE)).mappings()]
    )
    return {(row["day"], row["currency"]): row for row in rows}


def row(currency: str = "USD", rate: str = "1.08", *, note: str | None = None) -> Row:
    return {"day": 0, "currency": currency, "rate": rate, "note": note}


async def test_a_row_is_added_changed_or_kept_by_its_key(database_url: str) -> None:
    async with with_table(database_url) as store:
        assert await merged(store, [row("USD"), row("GBP")]) == Counters(inserted=2)
        assert await merged(
            store, [row("USD", "1.09"), row("GBP"), row("JPY", note="x")]
        ) == Counters(1, 1, 1)
        assert await merged(store, [row("JPY")]) == Counters(updated=1)
        assert {key[1]: row["note"] for key, row in (await held(store)).items()} == {
            "USD": None,
            "GBP": None,
            "JPY": None,
        }


async def test_amounts_in_another_form_are_equal(database_url: str) -> None:
    async with with_table(database_url) as store:
        await merged(store, [row(rate="1.0800")])
        assert await merged(store, [row(rate="1.08")]) == Counters(unchanged=1)


async def test_of_rows_with_one_key_the_last_one_counts(database_url: str) -> None:
    async with with_table(database_url) as store:
        assert await merged(store, [row(rate="1"), row(rate="2")]) == Counters(inserted=1)
        assert (await held(store))[0, "USD"]["rate"] == "2"


async def test_any_number_of_rows_and_a_table_of_keys_alone_are_merged(database_url: str) -> None:
    async with with_table(database_url) as store:
        rows = [{"id": number} for number in range(_MORE_THAN_ONE_STATEMENT_TAKES)]
        assert await merged(store, rows, _KEYS) == Counters(inserted=len(rows))
        assert await merged(store, [*rows, {"id": -1}], _KEYS) == Counters(
            inserted=1, unchanged=len(rows)
        )
        assert await merged(store, [], _KEYS) == Counters()


async def test_after_any_merges_the_table_has_the_last_row_of_each_key(
    database_url: str,
) -> None:
    async with with_table(database_url) as store:

        async def check(batches: list[list[Row]]) -> None:
            await store.change("DELETE FROM rate")
            for rows in batches:
                await merged(store, rows)
            last = {(row["day"], row["currency"]): row for rows in batches for row in rows}
            assert await held(store) == last

        for batches in _examples():
            await check(batches)


def _examples() -> list[list[list[Row]]]:
    found: list[list[list[Row]]] = []

    @given(_BATCHES)
    @settings(max_examples=15, deadline=None, derandomize=True, database=None)
    def collect(batches: list[list[Row]]) -> None:
        found.append(batches)

    collect()
    return found
