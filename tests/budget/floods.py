"""Frames of a WebSocket that cost more to take in than to send."""

from __future__ import annotations

from tests.budget.sockets import CLOSE, CONTINUATION, PING, frame

FLOODS = {
    "empty messages": frame(b"") * 4_000,
    "empty fragments": frame(b"{", last=False) + frame(b"", kind=CONTINUATION, last=False) * 4_000,
    "pings": frame(b"x" * 125, kind=PING) * 500,
    "garbage": b"\xff" * 50_000,
    "too long": frame(b"x" * 70_000),
    "control frames in pieces": frame(b"x", kind=PING, last=False) * 100,
    "closes": frame(b"\x03\xe8", kind=CLOSE) * 1_000,
}
