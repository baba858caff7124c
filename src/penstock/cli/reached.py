"""Who does a command's work: the service that owns the database, else this process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeAlias

from penstock.cli.client import ApiClient
from penstock.cli.loading import loading
from penstock.cli.shown.terminal import err
from penstock.opening import serving_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.cli.http import Service
    from penstock.settings import Settings

Reached: TypeAlias = contextlib.AbstractAsyncContextManager[ApiClient]


def reached(settings: Settings) -> Reached:
    """A client of the service that owns the database, else of this process, which owns it then.

    Call it before the event loop starts: it imports most of the program, and Ctrl-C may end that.
    """
    url = serving_url(settings)
    with loading():
        if url is None:
            return _here(settings)
        from penstock.cli.http import Service  # noqa: PLC0415 - only one of the two is needed

        return _at(Service(url), settings)


@contextlib.asynccontextmanager
async def _at(service: Service, settings: Settings) -> AsyncIterator[ApiClient]:
    async with service:
        yield ApiClient(service, settings)


def _here(settings: Settings) -> Reached:
    # Most of the program, and all that logs.
    from penstock.app import open_app  # noqa: PLC0415 - see above
    from penstock.cli.in_process import InProcess  # noqa: PLC0415 - see above
    from penstock.foreground import foreground  # noqa: PLC0415 - see above
    from penstock.logs import log_to_stderr  # noqa: PLC0415 - see above

    @contextlib.asynccontextmanager
    async def here() -> AsyncIterator[ApiClient]:
        log_to_stderr(settings.log_level or "critical")
        async with open_app(settings) as app, foreground(app) as working:
            yield ApiClient(InProcess(app, working), settings)
            if working.has_more:
                err.print("looking up the new products; Ctrl-C leaves the rest to the next sync")
                await working.work_off()

    return here()
