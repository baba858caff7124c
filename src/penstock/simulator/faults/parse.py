"""Parses faults, from the command line and from JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec

from penstock.errors import InvalidInputError
from penstock.simulator.faults.answers import (
    Ban,
    Hang,
    Html,
    Latency,
    Oversized,
    RateLimit,
    Redirect,
    Reset,
    ServerError,
)
from penstock.simulator.faults.klines import BadRows, ChangedCandles
from penstock.simulator.faults.products import Array, BadProducts, NotReady, Sold, Unauthorized
from penstock.simulator.faults.wire import CutAt, Framed, Gated, Gzip, Slow, Throttle, Truncated

if TYPE_CHECKING:
    from penstock.simulator.faults.base import Fault

_Answers: TypeAlias = (
    Latency | RateLimit | Ban | ServerError | Hang | Reset | Html | Redirect | Oversized
)
_Wire: TypeAlias = Slow | Throttle | Gated | Truncated | CutAt | Framed | Gzip
_Products: TypeAlias = Array | BadProducts | NotReady | Sold | Unauthorized
_AnyFault: TypeAlias = _Answers | _Wire | BadRows | ChangedCandles | _Products


def _parameters(kind: type[Fault]) -> tuple[str, ...]:
    """Each parameter, with its values where they are limited."""
    types = get_type_hints(kind)
    allowed = {
        name: "|".join(map(str, get_args(type_)))
        for name, type_ in types.items()
        if get_origin(type_) is Literal
    }
    fields = kind.__struct_fields__
    return tuple(f"{name}={allowed[name]}" if name in allowed else name for name in fields)


# The parameters of each fault by its name.
PARAMETERS = {str(kind.__struct_config__.tag): _parameters(kind) for kind in get_args(_AnyFault)}


def parse_fault(text: str) -> Fault:
    """The fault of a command line (`rate_limit:retry_after=3,count=2`), or InvalidInputError."""
    name, _, rest = text.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",")] if rest else []
    if wrong := [key for key, equals, _ in pairs if not equals]:
        msg = f"fault: {wrong[0]!r} in {text!r} has no value; write {name}:key=value,key=value"
        raise InvalidInputError(msg, field="fault")
    return read_fault({"name": name} | {key.strip(): value.strip() for key, _, value in pairs})


def read_fault(described: object) -> Fault:
    """The fault of a name and parameters; InvalidInputError lists the choices."""
    name = described.get("name") if isinstance(described, dict) else None
    known = PARAMETERS.get(name) if isinstance(name, str) else None
    if known is None:
        msg = f"fault: there is no fault {name!r}; choose one of {', '.join(PARAMETERS)}"
        raise InvalidInputError(msg, field="fault")
    try:
        # Not strict: on the command line every value is text.
        fault: Fault = msgspec.convert(described, type=_AnyFault, strict=False)
    except msgspec.ValidationError as error:
        msg = f"fault: {name}: {error}; its parameters are {', '.join(known)}"
        raise InvalidInputError(msg, field="fault") from error
    return fault
