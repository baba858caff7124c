"""How often a caller may send requests, and what counts as one client."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE_S = 60.0
# A caller that is forgotten starts anew, so the bound on memory takes nothing from anybody.
_MOST = 10_000
_CHOSEN_FOR_IT = 64


def client_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or a network of IPv6.

    A client of IPv6 chooses the last 64 bits itself.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(
        parsed.ipv4_mapped or ipaddress.IPv6Network((int(parsed), _CHOSEN_FOR_IT), strict=False)
    )


class Rates:
    """At most `per_minute` a minute for each caller, all at once or spread.

    It remembers the 10,000 callers that were seen last.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._step_s = _MINUTE_S / per_minute
        self._clock = clock
        # When all requests of a caller would be done if they came at an even pace.
        self._even: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._even)

    def wait_s(self, who: str) -> float:
        """Seconds until one more request is allowed; 0 when it is allowed now."""
        ahead_s = self._even.get(who, 0.0) - self._clock()
        # A thousandth of a step is left to the rounding of sums.
        return max(0.0, ahead_s + self._step_s * 0.999 - _MINUTE_S)

    def count(self, who: str) -> None:
        """Count a request."""
        self._even[who] = max(self._even.get(who, 0.0), self._clock()) + self._step_s
        self._even.move_to_end(who)
        if len(self._even) > _MOST:
            self._even.popitem(last=False)
