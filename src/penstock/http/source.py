"""What sources over HTTP have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from penstock.http.client import HttpClient
    from penstock.http.governor import Wait


class HttpSource:
    """A source with one client, which is open while the source is."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_ended: object) -> None:
        await self._http.__aexit__()

    @property
    def address(self) -> str:
        """Where its requests go, and by which proxy, in words."""
        return self._http.address

    def waiting(self) -> Wait | None:
        """What keeps it from sending requests now, if anything."""
        return self._http.waiting
