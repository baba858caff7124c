"""Who does a command's work: the service that owns the database, else this process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.cli.client import ApiClient
from penstock.cli.loading import loading
from penstock.cli.shown.terminal import err
from penstock.cli.signals import run
from penstock.opening import serving_url
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from penstock.cli.client import Transport
    from penstock.settings import Settings

T = TypeVar("T")


def call(
    database: str | None,
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    patient: bool = False,
) -> Any:  # noqa: ANN401 - JSON
    """The JSON of one call, as `ApiClient.call` gives it."""
    return reach(database, lambda client: client.call(method, path, body, patient=patient))


def reach(database: str | None, work: Callable[[ApiClient], Awaitable[T]]) -> T:
    """The result of work with a client of who owns the database; this process may own it then."""
    settings = load_settings(database_url=database)
    # Before the event loop starts: it imports most of the program, and Ctrl-C may end that.
    with loading():
        side = _side(settings)

    async def done() -> T:
        async with side as transport:
            return await work(ApiClient(transport, settings))

    return run(done())


def _side(settings: Settings) -> AbstractAsyncContextManager[Transport]:
    url = serving_url(settings)
    if url is not None:
        from penstock.cli.http import service_at  # noqa: PLC0415 - only one of the two is needed

        return service_at(url, settings)
    # Most of the program, and all that logs.
    from penstock.app import open_app  # noqa: PLC0415 - see above
    from penstock.cli.in_process import InProcess  # noqa: PLC0415 - see above
    from penstock.foreground import foreground  # noqa: PLC0415 - see above
    from penstock.logs import log_to_stderr  # noqa: PLC0415 - see above

    @contextlib.asynccontextmanager
    async def here() -> AsyncIterator[InProcess]:
        log_to_stderr(settings.log_level or "critical")
        async with open_app(settings) as app, foreground(app) as working:
            yield InProcess(app, working)
            if working.has_more:
                err.print("looking up the new products; Ctrl-C leaves the rest to the next sync")
                await working.work_off()

    return here()
