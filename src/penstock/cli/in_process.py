"""The API of the application in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from penstock.api.application import ApiOptions, add_routes, create_api
from penstock.api.direct import ask
from penstock.cli.client import Response

if TYPE_CHECKING:
    from penstock.app import App
    from penstock.cli.client import Request
    from penstock.foreground import Foreground


class InProcess:
    """The transport to the application in this process.

    No other process can call it, so there is no access check.
    """

    url = None

    def __init__(self, app: App, here: Foreground) -> None:
        self._api = create_api(app, here, ApiOptions(decision_s=None), modules=())
        self._here = here

    async def send(self, request: Request) -> Response:
        add_routes(self._api, request.path)
        status, body = await ask(
            self._api, request.method, request.path, request.body, request.kind
        )
        return Response(status, json.loads(body) if body else None)

    async def stop(self) -> None:
        await self._here.stop()
