"""The active faults: which requests they hit, and in which order."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from penstock.simulator.faults.base import Call, Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiohttp import web

    from penstock.simulator.traffic.clock import SimulatedClock
    from penstock.simulator.traffic.journal import LoggedRequest


@dataclass(slots=True)
class _Armed:
    """An active fault; `off` is set when it is switched off."""

    fault: Fault
    matched: int = 0
    hits: int = 0
    off: asyncio.Event = field(default_factory=asyncio.Event)


class ActiveFaults:
    """The active faults; a request passes through all that hit it, the first outermost."""

    def __init__(self, seed: int, clock: SimulatedClock, faults: Iterable[Fault] = ()) -> None:
        self._seed = seed
        self._clock = clock
        self._armed: list[_Armed] = []
        self.replace(faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        """Switch these on and all others off; counts and chance start anew."""
        for armed in self._armed:
            armed.off.set()
        self._armed = [_Armed(fault) for fault in faults]
        self._chance = random.Random(self._seed)

    def shown(self) -> list[dict[str, object]]:
        """As the admin path shows them: name, parameters, counts."""
        return [
            msgspec.to_builtins(armed.fault) | {"matched": armed.matched, "hits": armed.hits}
            for armed in self._armed
        ]

    async def around(
        self,
        request: web.Request,
        asked: LoggedRequest,
        proceed: Callable[[], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """The answer, changed by the faults that hit `request`; logs their names in `asked`."""
        hits = [armed for armed in self._armed if self._hits(armed, request)]
        asked.faults = [str(armed.fault.__struct_config__.tag) for armed in hits]
        for armed in reversed(hits):
            call = Call(request, proceed, self._clock, armed.off.wait)
            proceed = partial(armed.fault.answer, call)
        return await proceed()

    def _hits(self, armed: _Armed, request: web.Request) -> bool:
        fault = armed.fault
        if not fault.matches(request):
            return False
        armed.matched += 1
        if armed.matched <= fault.after or armed.hits == fault.count:
            return False
        hit = self._chance.random() < fault.probability
        armed.hits += hit
        return hit
