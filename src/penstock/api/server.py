"""The service: the application behind its guard, and the server that answers for it."""

from __future__ import annotations

import asyncio
import secrets
import socket
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import structlog
import uvicorn

from penstock.access.own_token import remove_token, write_token
from penstock.api.application import ApiOptions, create_api
from penstock.api.guard import Guard
from penstock.api.guard.connections import HttpConnection, Room
from penstock.api.guard.hosts import Hosts, is_loopback
from penstock.api.guard.known import KnownTokens
from penstock.api.guard.peer import can_be_told
from penstock.api.live.transport import SocketProtocol
from penstock.errors import ConflictError, InvalidInputError
from penstock.opening import is_fresh, open_database
from penstock.settings import Settings
from penstock.store.write.tokens import any_works

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

    from penstock.app import App

_log: structlog.stdlib.BoundLogger = structlog.get_logger()

# With the runs' patience it fits into the 10 s of an end (penstock.cli.signals).
_SHUTDOWN_S = 3
# Then connections are dropped, so that nobody who does not read is left at the end.
_ANSWERS_S = 2.5
_MESSAGE_BYTES = 65_536
# A head is parsed in one turn of the loop: 6,000 fields in 35 ms. The longest cursor fits.
_HEAD_BYTES = 24_576


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions(ApiOptions):
    """`ping_s`: how often a WebSocket client is pinged, and how long it has to answer."""

    ping_s: float = 4.0


def guarded(api: FastAPI) -> Guard:
    """The API behind its guard, which also sees what no route answers."""
    settings: Settings = api.state.parts[Settings]
    return Guard(
        api,
        Hosts(settings.host, settings.allowed_hosts),
        api.state.parts[KnownTokens],
        requests_per_minute=settings.requests_per_minute,
    )


async def refuse_open_door(settings: Settings) -> None:
    """InvalidInputError when other machines could reach the service and there is no token."""
    host = settings.host
    if (
        not is_loopback(host)
        and settings.admin_token is None
        and not await _any_token_works(settings)
    ):
        raise InvalidInputError(
            f"host: {host} can be reached from other machines, and there is no token that works; "
            "create one with `penstock token create --name me --scope admin`, "
            "or set PENSTOCK_ADMIN_TOKEN",
            field="host",
        )


@dataclass(frozen=True, slots=True)
class Door:
    """Where the service can be reached, already bound: no other process gets the port.

    `own_token` is that of our user's processes, where they cannot be told otherwise; `own_key`
    lets in one page of theirs.
    """

    socket: socket.socket
    url: str
    own_token: str | None
    own_key: str | None

    @property
    def page(self) -> str:
        """The address of the dashboard; what follows the # is never sent."""
        return self.url if self.own_key is None else f"{self.url}/#key={self.own_key}"


@contextmanager
def listening(settings: Settings) -> Iterator[Door]:
    """The door of a service; requests wait at it until the service runs.

    ConflictError when the address cannot be listened on.
    """
    with _bound(settings.host.strip("[]"), settings.port) as bound:
        url = settings.model_copy(update={"port": bound.getsockname()[1]}).url
        with _own_token(settings, url) as own_token:
            yield Door(bound, url, own_token, secrets.token_urlsafe() if own_token else None)


@contextmanager
def _own_token(settings: Settings, url: str) -> Iterator[str | None]:
    """The token of our user's processes; None where they need none, or all need another."""
    if can_be_told() or settings.admin_token is not None or not is_loopback(settings.host):
        yield None
        return
    try:
        token = write_token(url)
    except (OSError, RuntimeError) as error:
        _log.warning(
            "the file for this user's commands cannot be written; "
            "create a token with `penstock token create`",
            error=str(error),
        )
        yield None
        return
    try:
        yield token
    finally:
        remove_token(url)


@asynccontextmanager
async def running(app: App, door: Door, options: ServeOptions | None = None) -> AsyncIterator[None]:
    """Answer at the door while the block runs.

    At its end, answers under way have some seconds to finish; WebSockets are closed with 1012.
    """
    options = replace(options or ServeOptions(), own_token=door.own_token, own_key=door.own_key)
    config = uvicorn.Config(
        guarded(create_api(app, app.ledger, options)),
        log_config=None,
        access_log=False,
        server_header=False,
        # By default uvicorn believes every process of this machine.
        forwarded_allow_ips=[*app.settings.trusted_proxies],
        timeout_graceful_shutdown=_SHUTDOWN_S,
        lifespan="on",
        # Whether a head is too long must not depend on the pieces in which it comes.
        h11_max_incomplete_event_size=_HEAD_BYTES,
        http=partial(HttpConnection, Room.of_files()),  # type: ignore[arg-type] # called only
        ws=SocketProtocol,
        ws_max_size=_MESSAGE_BYTES,
        ws_ping_interval=options.ping_s,
        ws_ping_timeout=options.ping_s,
        # It costs 40 kB a client and time for each message; messages are short.
        ws_per_message_deflate=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[door.socket]), name="HTTP server")
    try:
        await server.answers.wait()
        yield
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Tells when it answers, and leaves signals to its caller."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(_ANSWERS_S, self._drop_connections)
        await super().shutdown(sockets)

    def _drop_connections(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bound(host: str, port: int) -> socket.socket:
    """The bound socket; the server would end the process when a port is taken."""
    try:
        bound = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
        # Connections inherit it. Without it, the second part of an answer waits 40 ms for the
        # receipt of the first.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise ConflictError(
            f"port: {host}:{port} cannot be listened on ({reason}); "
            "end what uses it or choose another with --port"
        ) from error
    return bound


async def _any_token_works(settings: Settings) -> bool:
    """Whether a valid token exists; a missing or older database has none, and stays as it is."""
    if is_fresh(settings):
        return False
    async with open_database(settings) as database:
        return await database.read(any_works)
