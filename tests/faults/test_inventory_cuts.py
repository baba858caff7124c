"""A connection that ends at any byte of an export, in every framing, is always noticed."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
from typing import TYPE_CHECKING

import pytest

from penstock.errors import SourceUnavailableError
from penstock.http.client import HttpLimits
from penstock.http.download import DownloadLimits
from penstock.inventory.export.pipeline import PackedReader
from penstock.inventory.source import InventorySourceConfig
from penstock.sources import cardtrader
from penstock.sources.cardtrader import CardTraderAccount, CardTraderSource
from tests.inventory_builders import body_of, row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Say
    from tests.trials import Trials

_CUTS = (60, 1_000)
_ROWS = 12
_BODY = body_of(
    [
        row(number, description='},{"id":1},{ ]', hub={"shelf": [{"id": 1}, {"id": 2}]})
        for number in range(1, _ROWS + 1)
    ]
)
_CHUNK = 700


def on_the_wire(framing: str, *, packed: bool) -> tuple[bytes, int]:
    """A whole answer, and where its body begins."""
    body = gzip.compress(_BODY) if packed else _BODY
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        + "Content-Encoding: gzip\r\n" * packed
    )
    match framing:
        case "length":
            head += f"Content-Length: {len(body)}\r\n"
        case "chunked":
            head += "Transfer-Encoding: chunked\r\n"
            pieces = [body[at : at + _CHUNK] for at in range(0, len(body), _CHUNK)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
        case _:
            head += "Connection: close\r\n"
    return f"{head}\r\n".encode() + body, len(head) + 2


class Cutter:
    """A server that sends this many bytes of an answer and closes the connection."""

    def __init__(self) -> None:
        self.answer = b""
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def rows_read(account: CardTraderAccount) -> int:
    """The number of products of an export that was accepted as complete."""
    rows = 0
    async with account.export() as body:
        reader = PackedReader(gzip=body.gzip)
        async for block in body.blocks():
            rows += sum(map(len, reader.feed(block)))
        return rows + sum(map(len, reader.end()))


@contextlib.asynccontextmanager
async def asking(cutter: Cutter) -> AsyncIterator[CardTraderAccount]:
    config = InventorySourceConfig(
        base_url=f"http://127.0.0.1:{cutter.port}",
        http=HttpLimits(attempts=1),
        export=DownloadLimits(attempts=1, first_byte_s=20, idle_s=20),
    )
    async with CardTraderSource(config).account("demo") as account:
        yield account


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_every_cut_on_the_wire_is_noticed(
    framing: str, trials: Trials, say: Say, monkeypatch: pytest.MonkeyPatch, *, packed: bool
) -> None:
    # Without CardTrader's limit, which this server does not have.
    monkeypatch.setattr(cardtrader, "_REQUESTS_IN_WINDOW", 10**9)
    whole, begin = on_the_wire(framing, packed=packed)
    chance = random.Random(f"{trials.seed} {framing} {packed}")
    edges = {0, 1, begin - 1, begin, begin + 1, *range(len(whole) - 12, len(whole))}
    cuts = [
        *edges,
        *(chance.randrange(begin, len(whole)) for _ in range(trials.of(*_CUTS) - len(edges))),
    ]
    cutter = Cutter()
    async with cutter.serving(), asking(cutter) as account:
        for cut in cuts:
            cutter.answer = whole[:cut]
            with pytest.raises(SourceUnavailableError):
                pytest.fail(
                    f"seed {trials.seed}: {await rows_read(account)} products of an answer"
                    f" cut at {cut} of {len(whole)} bytes"
                )
        # The cut was their only fault.
        cutter.answer = whole
        assert await rows_read(account) == _ROWS
    say(
        f"{framing}, gzip {packed}: seed {trials.seed}, n = {len(cuts)} cuts, 0 taken for the whole"
    )
