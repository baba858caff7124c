"""Who writes for a command."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from penstock.cli.client import ServiceClient
from penstock.opening import serving_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.app import App
    from penstock.settings import Settings


@contextlib.asynccontextmanager
async def reached(settings: Settings) -> AsyncIterator[App | ServiceClient]:
    """Who can write to the database while the block runs: the service that owns it, else this process."""
    if (url := serving_url(settings)) is not None:
        async with ServiceClient(url) as client:
            yield client
    else:
        # It is most of the program, and who reaches a service does without; it is also what logs.
        from penstock.app import open_app  # noqa: PLC0415 - see above
        from penstock.logs import log_to_stderr_unless_set  # noqa: PLC0415 - see above

        log_to_stderr_unless_set("critical")
        async with open_app(settings) as app:
            yield app
