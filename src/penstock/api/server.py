"""The service: the application behind its guard, and the server that answers for it."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from penstock import __version__
from penstock.api import health, market, problem
from penstock.api.guard import LOOPBACK, HostGuard
from penstock.api.state import State
from penstock.core.loop_lag import LoopLag
from penstock.errors import ConflictError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from penstock.app import App

_SHUTDOWN_S = 5


def create_api(app: App) -> FastAPI:
    """The API over an opened application."""
    lag = LoopLag()

    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        async with lag.measured():
            yield

    api = FastAPI(title="Penstock", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    api.state.penstock = State(app, lag)
    problem.install(api)
    for router in (health.router, market.router):
        api.include_router(router)
    api.add_middleware(HostGuard)
    return api


async def serve(app: App, *, on_ready: Callable[[str], None]) -> None:
    """Answer until SIGINT or SIGTERM; `on_ready` gets the base URL.

    InvalidInputError for an address that is not this machine's own, as long as there are no tokens; ConflictError when the port is taken.
    """
    settings = app.settings
    if settings.host not in LOOPBACK | {"::1"}:
        message = f"host: {settings.host} can be reached from other machines, and this version has no tokens yet; use 127.0.0.1"
        raise InvalidInputError(message, field="host")
    listening = _listen(settings.host, settings.port)
    config = uvicorn.Config(
        create_api(app), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_SHUTDOWN_S, lifespan="on"
    )
    await _Server(config, lambda: on_ready(f"http://{settings.host}:{listening.getsockname()[1]}")).serve(sockets=[listening])


class _Server(uvicorn.Server):
    """Says when it answers, and ends on a signal without raising it again, so that what stands around it can end in order too."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def _listen(host: str, port: int) -> socket.socket:
    """Bound here and not by the server, whose way of saying that a port is taken is to end the process."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        message = f"port: {host}:{port} cannot be listened on ({error.strerror}); end what uses it or choose another with --port"
        raise ConflictError(message) from error
