"""The faults that are switched on: how they are written, which requests they hit, and that they are all checked before one is changed."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from penstock.errors import InvalidInputError
from penstock.simulator.fault import Call, Fault
from penstock.simulator.fault_kinds import PARAMETERS, AnyFault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiohttp import web

    from penstock.simulator.clock import Clock
    from penstock.simulator.journal import Asked


def parse_fault(text: str) -> Fault:
    """A fault as the command line writes it: `rate_limit:retry_after=3,count=2`. Raises InvalidInputError."""
    name, _, rest = text.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",")] if rest else []
    if wrong := [key for key, equals, _ in pairs if not equals]:
        msg = f"fault: {wrong[0]!r} in {text!r} has no value; write {name}:key=value,key=value"
        raise InvalidInputError(msg, field="fault")
    return read_fault({"name": name} | {key.strip(): value.strip() for key, _, value in pairs})


def read_fault(described: object) -> Fault:
    """A fault from its name and parameters. Raises InvalidInputError that says which one is wrong and what there is."""
    name = described.get("name") if isinstance(described, dict) else None
    known = PARAMETERS.get(name) if isinstance(name, str) else None
    if known is None:
        msg = f"fault: there is no fault {name!r}; choose one of {', '.join(PARAMETERS)}"
        raise InvalidInputError(msg, field="fault")
    try:
        # Not strict, as on the command line every value is text.
        fault: Fault = msgspec.convert(described, type=AnyFault, strict=False)
    except msgspec.ValidationError as error:
        msg = f"fault: {name}: {error}; its parameters are {', '.join(known)}"
        raise InvalidInputError(msg, field="fault") from error
    return fault


@dataclass(slots=True)
class _Armed:
    """A fault that is on: how many requests it matched, how many it hit; `off` is set when it is on no longer."""

    fault: Fault
    matched: int = 0
    hits: int = 0
    off: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    """The faults that are on now; each request goes through all that hit it, the first outermost."""

    def __init__(self, seed: int, clock: Clock, faults: Iterable[Fault] = ()) -> None:
        self._seed = seed
        self._clock = clock
        self._armed: list[_Armed] = []
        self.replace(faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        """Switch these on and all others off; counts start at zero and chance starts anew."""
        for armed in self._armed:
            armed.off.set()
        self._armed = [_Armed(fault) for fault in faults]
        self._chance = random.Random(self._seed)

    def shown(self) -> list[dict[str, object]]:
        """As the admin path answers them: name, parameters, counts."""
        return [msgspec.to_builtins(armed.fault) | {"matched": armed.matched, "hits": armed.hits} for armed in self._armed]

    async def around(self, request: web.Request, asked: Asked, proceed: Callable[[], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        """The answer to `request`, as the faults that hit it make it; notes their names on `asked`."""
        hits = [armed for armed in self._armed if self._hits(armed, request)] if self._armed else []
        for armed in reversed(hits):
            asked.faults.insert(0, str(armed.fault.__struct_config__.tag))
            proceed = _through(armed.fault, Call(request, proceed, self._clock.now_ms, self._clock.after_ms, armed.off.wait))
        return await proceed()

    def _hits(self, armed: _Armed, request: web.Request) -> bool:
        fault = armed.fault
        if not fault.hits(request):
            return False
        armed.matched += 1
        if armed.matched <= fault.after or armed.hits == fault.count or self._chance.random() >= fault.probability:
            return False
        armed.hits += 1
        return True


def _through(fault: Fault, call: Call) -> Callable[[], Awaitable[web.StreamResponse]]:
    return lambda: fault.answer(call)
