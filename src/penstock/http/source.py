"""What sources over HTTP have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from penstock.errors import SourceUnavailableError
from penstock.http.decoding import PAGE_BYTES
from penstock.http.elements import elements, slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from penstock.http.client import HttpClient
    from penstock.http.governor import Wait

T = TypeVar("T")

_EXCERPT_BYTES = 120
_MOST_ROWS = 50_000
_MOST_ROW_BYTES = 65_536


class HttpSource:
    """A source with one client; both are open at the same time.

    `documented_by` is who says what the answers look like.
    """

    documented_by = "the provider"

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

    async def _get(
        self,
        path: str,
        decode: Callable[[bytes], T],
        params: Mapping[str, str] | None = None,
        *,
        weight: int = 1,
        most_bytes: int = PAGE_BYTES,
    ) -> T:
        """A decoded answer; SourceUnavailableError when it is not what is documented, or longer.

        One that may be longer than a page is decoded row by row, by `rows_of`.
        """

        def documented(body: bytes) -> T:
            try:
                return decode(body)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                is_html = body.lstrip()[:1] == b"<"
                said = f"not what {self.documented_by} documents ({error})"
                what = "an HTML page" if is_html else said
                excerpt = body[:_EXCERPT_BYTES].decode("utf-8", "replace")
                raise SourceUnavailableError(
                    f"GET {path}: the answer is {what}: {excerpt}"
                ) from error

        return await self._http.get(
            path, params or {}, weight=weight, decode=documented, most_bytes=most_bytes
        )


def rows_of(array: bytes | msgspec.Raw) -> Iterator[bytes]:
    """The rows of a JSON array as they were sent.

    ValueError for more than 50,000 of them, and for one of more than 64 KiB.
    """
    rows = elements(slices(array), most_bytes=_MOST_ROW_BYTES)
    for number, row in enumerate(rows, start=1):
        if number > _MOST_ROWS:
            raise ValueError(f"it has more than {_MOST_ROWS:,} rows")
        yield row
