"""A hostile provider: the simulator's answers, changed in every part on their way."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import random
import socketserver
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATUSES = [204, 206, 301, 302, 304, 400, 401, 403, 404, 407, 408, 418, 451, 500, 503, 999]
_STATUSES += [429] * 4
_WAITS = ["0", "1", "-1", "soon", "345600", "345601", "1795878660000", "9" * 25, "9" * 5_000, "1e9"]
_WAITS += ["Wed, 21 Oct 2099 07:28:00 GMT", "\u00b2", ""]
# As text, because JSON of Python has no numbers like some of these.
_TOKENS = [
    "null",
    "true",
    "-1",
    "0",
    "1e400",
    "NaN",
    "-Infinity",
    '"NaN"',
    '""',
    "[]",
    "{}",
    '"0x1F"',
]
_TOKENS += ["9" * 30, "9" * 5_000, "1" + "0" * 400, '"' + "9" * 400 + '"', '"' + "x" * 30_000 + '"']
_TOKENS += ["[" * 5_000 + "]" * 5_000, '{"a":' * 500 + "1" + "}" * 500, '"\\u0000"', '"\\ud800"']
_TIMES = [1_000, 1_000_000, 0.001]
_MOST_BODY = 60_000
MADE = {
    "nested": b"[" * 50_000,
    "numbers": b"[" + b"1," * 20_000 + b"1]",
    "objects": b"[" + b"{}," * 20_000 + b"{}]",
    "pairs": b"[[" + b"[]," * 20_000 + b"[]]]",
    "html": b"<html>" + b"&lt;" * 1_000,
    "bomb": gzip.compress(b"[" + b" " * 10_000_000 + b"]"),
}


@dataclass(frozen=True)
class Change:
    """What happens to an answer; `place` chooses the value of the body that is replaced."""

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str = "as it is"
    token: str = "null"
    place: int = 0
    framing: str = "length"

    def answer(self, status: int, content_type: str, body: bytes) -> bytes:
        """The bytes to send in place of the true answer."""
        body = self._changed(body)
        head = f"HTTP/1.1 {self.status or status} Whatever\r\nContent-Type: {content_type}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        match self.framing:
            case "length":
                head += f"Content-Length: {len(body)}\r\n"
            case "longer":
                head += f"Content-Length: {len(body) + 100}\r\n"
            case "shorter":
                head += f"Content-Length: {len(body) // 2}\r\n"
            case "chunked":
                head += "Transfer-Encoding: chunked\r\n"
                body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            case "broken chunks":
                head += "Transfer-Encoding: chunked\r\n"
                body = b"ffffffffffff\r\n" + body
        return (head + "\r\n").encode("utf-8", "surrogateescape") + body

    def _changed(self, body: bytes) -> bytes:
        match self.body:
            case "as it is":
                changed = body
            case "garbage":
                changed = random.Random(self.place).randbytes(self.place % 3_000)
            case "token":
                changed = self.token.encode()
            case "cut":
                changed = body[: len(body) * (self.place % 100) // 100]
            case "gzip":
                changed = gzip.compress(body)
            case "repeated":
                changed = b"[" + b",".join([body.strip(b"[] ")] * 50)[:_MOST_BODY] + b"]"
            case _:
                changed = MADE.get(self.body) or self._replaced(body)
        return changed

    def _replaced(self, body: bytes) -> bytes:
        """The body with one value replaced, or one time in another unit."""
        try:
            content: Any = json.loads(body)
        except ValueError:
            return self.token.encode()
        mark = "value to replace"
        found = _put(content, self.place, mark)
        if self.body == "another unit" and isinstance(found, int):
            number = int(found * _TIMES[self.place % len(_TIMES)])
            return json.dumps(content).replace(f'"{mark}"', str(number)).encode()
        return json.dumps(content).replace(f'"{mark}"', self.token).encode("utf-8", "surrogatepass")


def _put(content: Any, place: int, mark: str) -> Any:  # noqa: ANN401 - JSON
    """Put the mark in the place of one value; the value."""
    while True:
        keys = list(content) if isinstance(content, dict) else range(len(content))
        if not keys:
            return None
        place, chosen = divmod(place, len(keys))
        inner = content[keys[chosen]]
        if not isinstance(inner, list | dict) or not inner or place % 7 == 0:
            content[keys[chosen]] = mark
            return inner
        content = inner


_HEADERS = st.sampled_from(
    [
        *[("Retry-After", wait) for wait in _WAITS],
        *[("X-MBX-USED-WEIGHT-1M", used) for used in ("", "-1", "9" * 400)],
        ("Content-Encoding", "gzip"),
        ("Content-Encoding", "br"),
        ("Content-Encoding", "gzip, gzip"),
        ("Content-Type", "text/html; charset=utf-7"),
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("Location", "http://127.0.0.1:1/"),
        ("Set-Cookie", "a=" + "b" * 3_000),
        ("X-Long", "y" * 7_000),
        ("Content-Length", "5"),
    ]
)
_BODIES = ["as it is", "garbage", "token", "cut", "gzip", "repeated", *MADE]
_BODIES += ["value"] * 6 + ["another unit"] * 3
_FRAMINGS = ["length"] * 6 + ["longer", "shorter", "chunked", "broken chunks", "none"]
CHANGES = st.builds(
    Change,
    status=st.sampled_from([None] * 2 * len(_STATUSES) + _STATUSES),
    headers=st.lists(_HEADERS, max_size=2).map(tuple),
    body=st.sampled_from(_BODIES),
    token=st.sampled_from(_TOKENS),
    place=st.integers(0, 10_000_000),
    framing=st.sampled_from(_FRAMINGS),
)


@dataclass
class Provider:
    """Passes requests on to the simulator, and changes every answer as it is told."""

    simulator: str
    url: str = ""
    change: Change = field(default_factory=Change)

    def answer(self, head: bytes) -> bytes:
        """The answer to the head of a request."""
        method, target, *_ = head.decode("latin-1").split(" ", 2)
        connection = http.client.HTTPConnection(urlsplit(self.simulator).netloc, timeout=60)
        lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:]]
        kept = {name: value for name, _, value in lines if name.lower() == "authorization"}
        connection.request(method, target, headers=kept)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return self.change.answer(answer.status, answer.headers["Content-Type"] or "", body)


class _Handler(socketserver.StreamRequestHandler):
    provider: ClassVar[Provider]

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        with contextlib.suppress(ConnectionError):
            self.wfile.write(self.provider.answer(head))


@contextlib.contextmanager
def hostile(simulator: str) -> Iterator[Provider]:
    """A provider in front of the simulator at this address."""
    provider = Provider(simulator)
    handler = type("Handler", (_Handler,), {"provider": provider})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        provider.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="provider")
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
