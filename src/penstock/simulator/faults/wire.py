"""Faults of the wire: a correct answer that drips, is compressed, reframed, or cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from penstock.simulator.faults.base import Call, Fault, NonNegative, Positive
from penstock.simulator.traffic.outgoing import (
    Cut,
    Framing,
    Gate,
    OutgoingResponse,
    SendPace,
    outgoing,
)

if TYPE_CHECKING:
    from aiohttp import web

_PIECES_A_SECOND = 20


class WireFault(Fault, frozen=True, kw_only=True):
    """A fault that changes how the proper answer is sent."""

    async def answer(self, call: Call) -> web.StreamResponse:
        proper = await call.proceed()
        changeable = outgoing(proper)
        if changeable is None:
            return proper
        self.change(changeable, call)
        return changeable

    def change(self, sent: OutgoingResponse, call: Call) -> None:
        """Change how `sent` will be sent."""
        raise NotImplementedError


class Slow(WireFault, frozen=True, kw_only=True, tag="slow"):
    """The proper answer drips: `bytes` at a time, `pause_ms` apart."""

    bytes: Positive = 1
    pause_ms: NonNegative = 100

    def change(self, sent: OutgoingResponse, call: Call) -> None:  # noqa: ARG002
        sent.pace = SendPace(self.bytes, self.pause_ms / 1000)


class Throttle(WireFault, frozen=True, kw_only=True, tag="throttle"):
    """At most `bytes_per_s`, as over a slow line."""

    bytes_per_s: Positive

    def change(self, sent: OutgoingResponse, call: Call) -> None:  # noqa: ARG002
        size = max(1, self.bytes_per_s // _PIECES_A_SECOND)
        sent.pace = SendPace(size, size / self.bytes_per_s)


class Gated(WireFault, frozen=True, kw_only=True, tag="gate"):
    """`at` bytes of the answer; the rest when the fault is switched off."""

    at: NonNegative = 0

    def change(self, sent: OutgoingResponse, call: Call) -> None:
        sent.gate = Gate(self.at, call.switched_off)


class Truncated(WireFault, frozen=True, kw_only=True, tag="truncated"):
    """Half of the answer.

    `framing` promises all of it and closes the connection; `json` is framed well but cut.
    """

    variant: Literal["framing", "json"] = "framing"

    def change(self, sent: OutgoingResponse, call: Call) -> None:  # noqa: ARG002
        sent.cut = Cut(lambda length: length // 2, framed=self.variant == "json")


class CutAt(WireFault, frozen=True, kw_only=True, tag="cut"):
    """The body ends after byte `at` (negative: from its end) and the connection closes.

    `framed` hides that behind a framing that is whole.
    """

    at: int
    framed: bool = False

    def change(self, sent: OutgoingResponse, call: Call) -> None:  # noqa: ARG002
        sent.cut = Cut(
            lambda length: self.at if self.at >= 0 else length + self.at, framed=self.framed
        )


class Framed(WireFault, frozen=True, kw_only=True, tag="framing"):
    """The body has a Content-Length, comes in chunks, or ends with the connection."""

    kind: Framing

    def change(self, sent: OutgoingResponse, call: Call) -> None:  # noqa: ARG002
        sent.framing = self.kind


class Gzip(WireFault, frozen=True, kw_only=True, tag="gzip"):
    """Compressed, for clients that accept it."""

    def change(self, sent: OutgoingResponse, call: Call) -> None:
        sent.compressed = "gzip" in call.request.headers.get("Accept-Encoding", "")
