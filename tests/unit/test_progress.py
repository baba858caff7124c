"""The progress of a collection in candles, and how commands show it."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.shown.progress import progress_text, shown_progress
from penstock.cli.shown.text import lasting
from penstock.http.governor import Wait, WaitReason
from penstock.market.collect.coverage import Coverage, Look, Span, SpanState
from penstock.market.collect.page import CandlePage, SeriesTarget
from penstock.market.collect.plan import Piece
from penstock.market.collect.progress import Tally
from penstock.runs.run import Work
from tests import virtual_time
from tests.market_builders import MINUTE, ORIGIN, candles, key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from tests.virtual_time import VirtualLoop

_LOOK = Look(ORIGIN, "binance")
_PAGE = 1_000
STORED, UNCONFIRMED, NOT_COLLECTED = (
    SpanState.STORED,
    SpanState.UNCONFIRMED,
    SpanState.NOT_COLLECTED,
)


def minute(number: int) -> int:
    return ORIGIN + number * MINUTE


def piece(start: int, end: int | None) -> Piece:
    return Piece(minute(start), None if end is None else minute(end), first=False)


@dataclass
class Collecting:
    """Series of a run with their tally; `now` is in minutes, the clock in seconds."""

    series: int = 1
    now: int = 0
    clock: float = 0.0
    ended: int = 0
    targets: list[SeriesTarget] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tally = Tally(self.series, "binance", lambda: self.clock)
        self.targets = [SeriesTarget(key(), number, Coverage()) for number in range(self.series)]

    def plan(self, number: int, *pieces: Piece) -> None:
        self.targets[number].pieces_left = len(pieces) or 1
        self.tally.planned(self.targets[number], pieces, minute(self.now))
        if not pieces:
            self.page(number, last=True)

    def page(
        self, number: int, *spans: tuple[int, int, SpanState], unclosed: int = 0, last: bool = False
    ) -> None:
        target = self.targets[number]
        rows = candles(minute(self.now), unclosed)
        found = [Span(minute(start), minute(end), state) for start, end, state in spans]
        self.tally.account(
            CandlePage(target=target, candles=rows, closed=0, spans=found, look=_LOOK, last=last)
        )
        target.pieces_left -= last
        if last and not target.pieces_left:
            self.tally.ended(target)
            self.ended += 1

    @property
    def percent(self) -> int:
        return self.tally.percent

    @property
    def counted(self) -> tuple[int, int]:
        work = self.tally.work()
        return work.done, work.total


def test_a_series_of_years_has_many_steps() -> None:
    run = Collecting()
    assert run.percent == 0
    run.plan(0, piece(0, 60_000))
    seen = []
    for start in range(0, 60_000, _PAGE):
        run.page(0, (start, start + _PAGE, STORED), last=start + _PAGE == 60_000)
        seen.append(run.percent)
    assert seen == [100 * pages // 60 for pages in range(1, 61)]


def test_a_range_known_without_a_request_is_not_progress() -> None:
    """The plan itself knows the range that a limit leaves out or that precedes the listing."""
    run = Collecting()
    run.plan(0, piece(1_000_000, 1_060_000))
    run.page(0, (0, 1_000_000, NOT_COLLECTED))
    assert (run.percent, run.counted) == (0, (0, 60_000))
    run.page(0, (1_000_000, 1_006_000, STORED))
    assert (run.percent, run.counted) == (10, (6_000, 60_000))


def test_a_requested_hole_counts_as_done_like_a_candle() -> None:
    run = Collecting()
    run.plan(0, piece(0, 100))
    run.page(0, (0, 20, STORED), (20, 50, UNCONFIRMED))
    assert (run.percent, run.counted) == (50, (50, 100))


def test_the_running_candle_is_one_of_the_expected_candles() -> None:
    run = Collecting(now=9)
    run.plan(0, piece(0, None))
    assert run.counted == (0, 10)
    run.page(0, (0, 9, STORED), unclosed=1, last=True)
    assert (run.percent, run.counted) == (100, (10, 10))


def test_candles_that_close_meanwhile_do_not_complete_the_progress_early() -> None:
    run = Collecting(now=9)
    run.plan(0, piece(0, 5), piece(5, None))
    run.page(0, (5, 14, STORED), unclosed=1, last=True)
    assert run.percent < 100
    run.page(0, (0, 5, STORED), last=True)
    assert (run.percent, run.counted) == (100, (10, 10))


def test_successive_plans_never_reduce_the_progress() -> None:
    run = Collecting(series=4)
    run.plan(0, piece(0, 10))
    run.page(0, (0, 10, STORED), last=True)
    assert run.percent == 25, "three series are not even planned"
    run.plan(1, piece(0, 100_000))
    assert run.percent == 25
    run.plan(2, piece(0, 10))
    run.plan(3, piece(0, 10))
    assert run.percent == 25
    run.page(1, (0, 60_000, STORED))
    assert run.percent == 59
    for number in (2, 3):
        run.page(number, (0, 10, STORED), last=True)
    run.page(1, (60_000, 100_000, STORED), last=True)
    assert run.percent == 100


def test_series_without_requests_are_counted_as_series() -> None:
    run = Collecting(series=4)
    seen = []
    for number in range(4):
        run.plan(number)
        seen.append(run.percent)
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert seen[-2] < 100
    assert run.counted == (0, 0)


def test_a_failed_series_counts_as_done_with_its_missing_candles() -> None:
    run = Collecting(series=2)
    run.plan(0, piece(0, 100))
    run.plan(1, piece(0, 100))
    run.page(0, (0, 10, STORED))
    assert run.percent == 5
    run.page(0, (10, 100, SpanState.FAILED), last=True)
    assert (run.percent, run.counted) == (50, (100, 200))


def test_a_run_without_series_has_no_progress() -> None:
    assert Collecting(series=0).percent == 0


def test_work_shows_the_rate_and_the_time_left() -> None:
    run = Collecting(series=2)
    assert run.tally.work() == Work(unit="candles", done=0, total=0)
    run.plan(0, piece(0, 1_000))
    run.clock = 10.0
    run.page(0, (0, 500, STORED))
    assert run.tally.work() == Work(unit="candles", done=500, total=1_000, per_second=50.0), (
        "the size of the other series is unknown"
    )
    run.plan(1, piece(0, 1_000))
    assert run.tally.work() == Work(
        unit="candles", done=500, total=2_000, per_second=50.0, seconds_left=30.0
    )
    run.page(0, (500, 1_000, STORED), last=True)
    run.page(1, (0, 1_000, STORED), last=True)
    assert run.tally.work() == Work(
        unit="candles", done=2_000, total=2_000, per_second=200.0, seconds_left=0.0
    )


def test_work_shows_the_reason_and_the_end_of_a_wait() -> None:
    tally = Collecting().tally
    assert (tally.work().waiting_for, tally.work().waiting_until) == (None, None)
    limit = tally.work(Wait(1_800_000_000.25, WaitReason.LIMIT))
    assert (limit.waiting_for, limit.waiting_until) == ("binance's limit", 1_800_000_000_250)
    assert (
        tally.work(Wait(1_800_000_000.0, WaitReason.PAUSED)).waiting_for
        == "binance to let requests in again"
    )
    assert (
        tally.work(Wait(1_800_000_000.0, WaitReason.NO_ANSWER)).waiting_for
        == "binance to answer again"
    )


plans = st.lists(st.lists(st.integers(1, 40), max_size=4), min_size=1, max_size=5)


@given(plans, st.randoms(use_true_random=False), st.integers(0, 30))
def test_progress_never_decreases_and_reaches_100_percent_only_at_the_end(
    pieces: list[list[int]], draw: Random, closes: int
) -> None:
    """Plans, pages in any order, holes, failures, and candles that close meanwhile."""
    run = Collecting(series=len(pieces))
    percents, works = [run.percent], [run.counted]
    waiting = list(range(len(pieces)))
    open_pieces: list[tuple[int, int, int]] = []
    while waiting or open_pieces:
        if waiting and (not open_pieces or draw.random() < 0.4):
            _plan_next(run, waiting.pop(0), pieces, open_pieces)
        else:
            _page_next(run, draw, closes, open_pieces)
        percents.append(run.percent)
        works.append(run.counted)
        assert (run.percent == 100) == (run.ended == run.series)
        assert run.counted[0] <= run.counted[1]
    assert percents == sorted(percents)
    assert [done for done, _ in works] == sorted(done for done, _ in works)
    assert run.counted[0] == run.counted[1] == sum(map(sum, pieces))


def _plan_next(
    run: Collecting,
    number: int,
    pieces: Sequence[Sequence[int]],
    open_pieces: list[tuple[int, int, int]],
) -> None:
    edges = list(itertools.pairwise([0, *itertools.accumulate(pieces[number])]))
    run.plan(number, *(piece(start, end) for start, end in edges))
    open_pieces += [(number, start, end) for start, end in edges]


def _page_next(
    run: Collecting, draw: Random, closes: int, open_pieces: list[tuple[int, int, int]]
) -> None:
    number, start, end = open_pieces.pop(draw.randrange(len(open_pieces)))
    until = draw.randint(start + 1, end)
    # The newest piece also brings candles that closed since the plan.
    newest = until == end and run.targets[number].expected == end
    state = draw.choice([STORED, STORED, UNCONFIRMED, SpanState.FAILED])
    run.page(number, (start, until + (closes if newest else 0), state), last=until == end)
    if until < end:
        open_pieces.append((number, until, end))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (59, "59 s"),
        (59.5, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3_599.5, "1 h 0 min"),
        (7_500, "2 h 5 min"),
        (400_000, "111 h 6 min"),
    ],
)
def test_the_time_left_is_shown_in_suitable_units(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def task(**given: Any) -> dict[str, Any]:
    return {
        "progress": 42,
        "message": "Collected data for BTC/USDT 1m (0/1)",
        "work": None,
        "waiting": None,
    } | given


def work(**given: Any) -> dict[str, Any]:
    return {
        "unit": "candles",
        "done": 25_200,
        "total": 60_000,
        "per_second": 1_234.56,
        "seconds_left": 28.2,
    } | given


def test_a_task_is_shown_on_one_line() -> None:
    assert (
        progress_text(task(work=work()), 0) == "42 %, 25,200 of 60,000 candles, 1,235/s, 29 s left"
    )
    assert (
        progress_text(task(work=work(seconds_left=None)), 0)
        == "42 %, 25,200 of 60,000 candles, 1,235/s"
    )
    assert (
        progress_text(task(work=work(done=0, total=0)), 0)
        == "42 %, Collected data for BTC/USDT 1m (0/1)"
    )
    assert progress_text(task(message=None), 0) == "42 %"
    assert progress_text(task(message="two\nlines\x1b[2J"), 0) == "42 %, two lines [2J"


def test_a_wait_is_counted_down_and_never_below_zero() -> None:
    waiting = task(
        work=work(), waiting={"reason": "binance's limit", "until": "2026-01-15T12:01:00.500Z"}
    )
    until = 1_768_478_460.5
    assert progress_text(waiting, until - 34) == "42 %, waiting 34 s for binance's limit"
    assert progress_text(waiting, until - 0.5) == "42 %, waiting 1 s for binance's limit"
    assert progress_text(waiting, until + 9) == "42 %, waiting 0 s for binance's limit"


def test_piped_output_gets_a_line_every_30_seconds_with_the_newest_state(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def main(loop: VirtualLoop) -> None:
        with shown_progress() as advance:
            while loop.time() < 92:
                await asyncio.sleep(4)
                advance(task(progress=int(loop.time()), work=work()))

    virtual_time.run(main)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["28 %", "56 %", "88 %"]
    assert lines[0] == "28 %, 25,200 of 60,000 candles, 1,235/s, 29 s left"


def test_piped_output_of_a_short_collection_or_one_without_news_has_no_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def main(_: VirtualLoop) -> None:
        with shown_progress() as advance:
            await asyncio.sleep(20)
            advance(task())
            await asyncio.sleep(9)
        await asyncio.sleep(100)

    async def silent(_: VirtualLoop) -> None:
        with shown_progress():
            await asyncio.sleep(100)

    virtual_time.run(main)
    virtual_time.run(silent)
    assert capsys.readouterr().err == ""
