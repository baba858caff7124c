"""Verify finds any change of stored data, and an ordinary collection repairs it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeAlias

import pytest

from penstock.market.timeframe import Timeframe
from tests.market_builders import MINUTE, ORIGIN
from tests.verify.shelf import STEPS, stocked
from tests.verify.test_inside import found

if TYPE_CHECKING:
    from tests.conftest import Say
    from tests.trials import Trials
    from tests.verify.shelf import Stocked

COUNT = 1_500
_ROW = "series_id = :series AND open_time = @at"
# Each is found without the exchange, in its own series or in one that it must add up with.
_ANYWHERE = {
    "delete": f"DELETE FROM candle WHERE {_ROW}",
    "open": f"UPDATE candle SET closed = (1 = 0) WHERE {_ROW}",
    "order": f"UPDATE candle SET low = '99999999.00000000' WHERE {_ROW}",
    "negative": f"UPDATE candle SET quote_volume = '-0.00000001' WHERE {_ROW}",
    "late": f"UPDATE candle SET close_time = @late WHERE {_ROW}",
    "outside": (
        "UPDATE coverage SET start_time = @next"
        " WHERE series_id = :series AND state = 'stored' AND start_time < @next"
    ),
}
_IN_A_WHOLE_SET = {
    "volume": f"UPDATE candle SET volume = '123456789.00000001' WHERE {_ROW}",
    "point": f"UPDATE candle SET taker_quote = '0.1' WHERE {_ROW}",
    "trades": f"UPDATE candle SET trades = trades + 1 WHERE {_ROW}",
    "high": f"UPDATE candle SET high = '88888888.00000000' WHERE {_ROW}",
}
_NUMBERED = (Timeframe.M1, Timeframe.M5, Timeframe.H1)

# Its kind, its timeframe and the open time of its candle.
Fault: TypeAlias = tuple[str, Timeframe, int]


def some_faults(chosen: random.Random) -> list[Fault]:
    """One to three faults that can all be told from the rest of the data."""
    faults = [_fault(chosen) for _ in range(chosen.randint(1, 3))]
    # A candle that is gone together with its coverage is one that was never collected.
    uncovered = {step for kind, step, _ in faults if kind == "outside"}
    return [fault for fault in faults if fault[0] != "delete" or fault[1] not in uncovered]


def _fault(chosen: random.Random) -> Fault:
    kind = chosen.choice([*_ANYWHERE, *_IN_A_WHOLE_SET])
    step = chosen.choice(STEPS if kind in _ANYWHERE and kind != "outside" else _NUMBERED)
    # The last day is incomplete, so candles in it need not add up.
    last = (
        COUNT * MINUTE // step.longest_ms
        if kind in _ANYWHERE and kind != "outside"
        else Timeframe.D1.longest_ms // step.longest_ms
    )
    return kind, step, ORIGIN + chosen.randrange(last) * step.longest_ms


async def plant(store: Stocked, fault: Fault) -> None:
    kind, step, opens = fault
    times = {"at": opens, "next": opens + step.longest_ms, "late": opens + step.longest_ms + 1}
    statement = (_ANYWHERE | _IN_A_WHOLE_SET)[kind]
    used = {name: at for name, at in times.items() if f"@{name}" in statement}
    await store.plant(statement, series=await store.series_id(step), **used)


@pytest.mark.faults
async def test_every_planted_fault_is_found_and_repaired(
    database_url: str, trials: Trials, say: Say
) -> None:
    n, looked = trials.of(6, 60), 0
    async with stocked(database_url, count=COUNT) as store:
        whole = await store.store.table()
        for number in range(n):
            planted = some_faults(random.Random(trials.seed + number))
            for fault in planted:
                await plant(store, fault)
            wrong = found(await store.verify())
            for kind, step, opens in planted:
                places = [
                    at <= opens + step.longest_ms and at + Timeframe.D1.longest_ms > opens
                    for _, _, at, _ in wrong
                ]
                assert any(places), (
                    f"seed {trials.seed + number}: {kind} in {step} at {opens} of {planted}"
                    f" was not found: {wrong}"
                )
            looked += len(planted)
            await store.verify(against="rest", repair=True)
            again = await store.verify(against="rest")
            assert (found(again), await store.store.table()) == ([], whole), (
                f"seed {trials.seed + number}: {planted}"
            )
    say(f"n={n} databases from seed {trials.seed} on, {looked} faults")
