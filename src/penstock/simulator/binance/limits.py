"""Request weight per IP: 6000 a minute, then 429, then bans that grow.

As "IP Limits" of Binance's documentation says. The minute is one of real time: clients wait in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WEIGHT_A_MINUTE = 6000
_MINUTE_S = 60
# How many requests after a 429 lead to a ban, and how long bans are. The documentation says 2
# minutes to 3 days and gives no count.
_STRIKES = 10
_FIRST_BAN_S = 120
_LONGEST_BAN_S = 3 * 86_400
_IPS_KEPT = 10_000


@dataclass(slots=True)
class _Address:
    minute: int = -1
    weight: int = 0
    strikes: int = 0
    bans: int = 0
    banned_until_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may go on: 200, or the status of its refusal and the seconds to wait."""

    status: int
    used_weight: int
    retry_after_s: int = 0


class WeightLimits:
    """Counts weight by address, and refuses what is over the limit if `enforced`."""

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._addresses: dict[str, _Address] = {}

    def charge(self, address: str, weight: int, now_s: float) -> Verdict:
        """Count a request of `address` at real time `now_s`."""
        known = self._address(address)
        minute = int(now_s // _MINUTE_S)
        if known.minute != minute:
            known.minute, known.weight, known.strikes = minute, 0, 0
        known.weight += weight
        if not self._enforced:
            return Verdict(200, known.weight)
        if now_s < known.banned_until_s:
            return Verdict(418, known.weight, math.ceil(known.banned_until_s - now_s))
        if known.weight <= WEIGHT_A_MINUTE:
            return Verdict(200, known.weight)
        known.strikes += 1
        if known.strikes <= _STRIKES:
            return Verdict(429, known.weight, math.ceil((minute + 1) * _MINUTE_S - now_s) or 1)
        return Verdict(418, known.weight, self._ban(known, now_s))

    def _ban(self, known: _Address, now_s: float) -> int:
        seconds: int = min(_FIRST_BAN_S * 4**known.bans, _LONGEST_BAN_S)
        known.bans += 1
        known.banned_until_s = now_s + seconds
        return seconds

    def _address(self, address: str) -> _Address:
        if address not in self._addresses and len(self._addresses) >= _IPS_KEPT:
            self._addresses.pop(next(iter(self._addresses)))
        return self._addresses.setdefault(address, _Address())
