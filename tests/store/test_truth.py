"""After any false answers, ordinary runs end with the true data and the true ledger."""

from __future__ import annotations

import contextlib
import logging
import random
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

import pytest
import structlog

from penstock.errors import SourceError, StopError
from penstock.market.collect.ask import Asker, Reading
from penstock.market.collect.collection import Collection, CollectOptions
from penstock.market.collect.evidence import Evidence
from penstock.market.collect.ranges import Wish
from penstock.market.instrument import SeriesKey
from penstock.market.timeframe import Timeframe
from tests.market_builders import ORIGIN, instrument, opened
from tests.store.lying_source import HOUR, LyingSource, history

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from penstock.market.candle import Candle
    from penstock.market.source import PageRequest
    from tests.conftest import Say
    from tests.listed_source import ListedSource
    from tests.market_builders import Opened
    from tests.trials import Trials

DAY = 24 * HOUR
# The share of exchanges behind a cache.
_KEEPING = 0.3
_GRACE = 3_000
_KEY = SeriesKey(instrument(), Timeframe.H1)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Log nothing: for thousands of runs, logging would take longer than the runs."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.configure(**before)


async def run_once(store: Opened, source: ListedSource, wish: Wish, key: SeriesKey = _KEY) -> bool:
    """Whether the run succeeded."""
    run = await store.run()
    collection = Collection(source, store.store, store.context(run), CollectOptions(flush_s=0.0))
    succeeded = False
    with contextlib.suppress(SourceError, StopError):
        await collection.collect([key], wish)
        succeeded = True
    await store.finish(run)
    return succeeded


def truth(rows: Sequence[Candle], begin: int, now: int) -> list[tuple[int, int, str]]:
    """The expected ledger."""
    spans: list[tuple[int, int, str]] = []

    def put(start: int, end: int, state: str) -> None:
        if start < end:
            joined = spans and spans[-1][1:] == (start, state)
            spans.append((spans.pop()[0] if joined else start, end, state))

    closed = [row for row in rows if row.close_time < now - _GRACE and row.open_time >= begin]
    at, hole = begin, "not_listed"
    for row in closed:
        put(at, row.open_time, hole)
        put(row.open_time, row.close_time + 1, "stored")
        at, hole = row.close_time + 1, "outage"
    return spans


async def ends_in_the_truth(store: Opened, seed: int) -> dict[str, int]:
    chosen = random.Random(seed)
    begin = ORIGIN
    rows = history(chosen, begin + chosen.choice([0, 7, 200]) * HOUR, 1_100)
    start = rows[200].open_time + chosen.randrange(HOUR)
    source = LyingSource(
        rows,
        start,
        page_limit=chosen.choice([20, 100, 1_000]),
        chosen=chosen,
        honest_from=start + 3 * DAY,
    )
    source.keeps = chosen.random() < _KEEPING
    wish = Wish(since=begin)
    for _ in range(200):
        if await run_once(store, source, wish):
            # A user repeats a request for a range until it succeeds.
            wish = Wish()
        if source.now >= start + 33 * DAY:
            break
        source.now += (
            chosen.choice([HOUR // 60, HOUR // 4, HOUR, 6 * HOUR, 20 * HOUR])
            if source.now < source.honest_from
            else 24 * HOUR
        )
    # The last candle before a continuing outage is final when a later read gives the same values,
    # so one that has just closed is read again.
    pause, fresh = HOUR // 20, True
    while fresh:
        source.now += pause
        await run_once(store, source, wish)
        fresh = any(0 <= source.now - row.close_time <= pause + _GRACE for row in rows)
    seen = [row for row in rows if row.open_time <= source.now]
    kept = {row["open_time"]: (row["trades"], row["close"]) for row in await store.table()}
    true = {row.open_time: (row.trades, row.close) for row in seen}
    assert sorted(kept.items() ^ true.items()) == []
    ledger = [(span.start, span.end, span.state.value) for span in await store.spans(_KEY)]
    expected = set(truth(seen, begin, source.now))
    found = set(settled(ledger, source.now))
    assert sorted(found ^ expected) == []
    return source.lies


def settled(ledger: list[tuple[int, int, str]], now: int) -> list[tuple[int, int, str]]:
    """Without the parts that cannot be known yet: a gap at the end, and outages of the last day."""
    if ledger and ledger[-1][2] == "unconfirmed":
        ledger = ledger[:-1]
    return [
        (start, end, "outage" if state == "unconfirmed" and end > now - 5 * DAY else state)
        for start, end, state in ledger
    ]


async def test_after_any_false_answers_ordinary_runs_end_with_the_true_data(
    sqlite_database: str, trials: Trials, say: Say
) -> None:
    n, lies = trials.of(20, 200), 0
    async with opened(sqlite_database) as store:
        for number in range(n):
            try:
                lies += await lied_to(store, trials.seed + number)
            except AssertionError as error:
                error.add_note(f"seed {trials.seed + number}")
                raise
    assert lies > 10 * n
    say(f"n = {n} histories, seed {trials.seed}, {lies} lies")


async def test_this_check_fails_for_a_program_that_trusts_one_empty_answer(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def believing(
        asker: Asker, request: PageRequest, *, known_before: int | None = None
    ) -> Reading:
        del known_before
        answer = await source_of(asker).candles(request)
        return Reading(clock_of(asker).now(), answer.rows, answer.candles, None, answer.rejected)

    async def none(*_: object) -> None:
        return None

    source_of, clock_of = attrgetter("_source"), attrgetter("_clock")
    monkeypatch.setattr(Asker, "read", believing)
    monkeypatch.setattr(Asker, "newest_before", none)
    monkeypatch.setattr(Evidence, "confirms", property(lambda _: True))
    monkeypatch.setattr(Evidence, "settled", lambda evidence: replace(evidence, due=None))
    async with opened(sqlite_database) as store:
        with pytest.raises(AssertionError):
            await all_lied_to(store, 5)


async def all_lied_to(store: Opened, seeds: int) -> None:
    for seed in range(seeds):
        await lied_to(store, seed)


async def lied_to(store: Opened, seed: int) -> int:
    """The number of wrong answers before the runs ended with the truth, from an empty database."""
    for table in ("coverage", "candle", "restatement", "quarantine"):
        await store.change(f"DELETE FROM {table}")
    return sum((await ends_in_the_truth(store, seed)).values())
