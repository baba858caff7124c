"""One minute split into its sixty seconds: their aggregate is the minute again, exactly.

The trades of a minute land at the beginning of some of its seconds; the other seconds are quiet and stand at the previous close.
"""

from __future__ import annotations

import hashlib
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.simulator.candle import Candle

SECOND_MS = 1000
_SECONDS = 60
_MOST_ACTIVE = 40
_LEAST_LOTS = 8


def seconds(key: str, minute: Candle) -> list[Candle]:
    """The sixty 1s candles of `minute`; `key` names the instrument and the seed."""
    open_ms, price, _, _, _, volume, quote, trades, taker, taker_quote = minute
    noise = hashlib.shake_128(f"{key} {open_ms}".encode()).digest(2 * _SECONDS)
    active = sorted(_active(noise, min(trades, _MOST_ACTIVE, max(1, volume // _LEAST_LOTS)) if trades else 0))
    if not active:
        return [_still(open_ms + second * SECOND_MS, price) for second in range(_SECONDS)]
    shares = [1 + (noise[_SECONDS + second] & 3) for second in active]
    volumes = _parts(volume, shares)
    columns = zip(
        _path(minute, active, noise),
        volumes,
        _parts(quote, volumes),
        _parts(trades, [1] * len(active)),
        _parts(taker, volumes),
        _parts(taker_quote, volumes),
        strict=True,
    )
    trading = {second: (open_ms + second * SECOND_MS, *path, *amounts) for second, (path, *amounts) in zip(active, columns, strict=True)}
    return _filled(open_ms, price, trading)


def _active(noise: bytes, count: int) -> list[int]:
    """`count` of the sixty seconds, by the order of their noise."""
    return sorted(range(_SECONDS), key=noise.__getitem__)[:count]


def _parts(total: int, shares: list[int]) -> list[int]:
    """`total` cut in proportion to `shares`; the parts sum to it."""
    whole = sum(shares) or 1
    return [last - first for first, last in pairwise(total * reached // whole for reached in accumulate(shares, initial=0))]


def _path(minute: Candle, active: list[int], noise: bytes) -> list[tuple[int, int, int, int]]:
    """Open, high, low, close of each active second: from the minute's open to its close, once at its high and once at its low."""
    _, price, high, low, close, *_ = minute
    count = len(active)
    line = [price + (close - price) * step // count + (noise[step] % 5 - 2) * (high - low) // 8 for step in range(1, count)]
    closes = [*(max(low, min(high, at)) for at in line), close]
    opens = [price, *closes[:-1]]
    top, bottom = noise[0] % count, noise[1] % count
    return [
        (o, high if step == top else max(o, c), low if step == bottom else min(o, c), c)
        for step, (o, c) in enumerate(zip(opens, closes, strict=True))
    ]


def _filled(open_ms: int, price: int, trading: dict[int, Candle]) -> list[Candle]:
    filled = []
    for second in range(_SECONDS):
        candle = trading.get(second) or _still(open_ms + second * SECOND_MS, price)
        price = candle[4]
        filled.append(candle)
    return filled


def _still(open_ms: int, price: int) -> Candle:
    return (open_ms, price, price, price, price, 0, 0, 0, 0, 0)
