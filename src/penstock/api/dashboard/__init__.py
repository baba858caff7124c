"""The dashboard and the viewer of the API's description, with the built files that they load.

The dashboard is one shell for all addresses of its pages.
`built/` is what `make frontend` writes; a test compares it with a new build.
"""

from __future__ import annotations

import asyncio
import gzip
import secrets
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from penstock.api.guard.headers import policy
from penstock.api.guard.scopes import ASSETS, DOCS, LICENCES, LOOKS, PAGES
from penstock.errors import NotFoundError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

# What the build writes where the nonce of an answer belongs: frontend/vite.config.ts.
_NONCE = "csp-nonce-of-this-answer"
_SHELL, _VIEWER = "index.html", "docs.html"
# Not as the system has them: a browser runs no script of another type.
_MEDIA_TYPES = {
    "css": "text/css",
    "html": "text/html",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
_BUILT = resources.files(__name__).joinpath("built")
# The name of a file has a hash of its content.
_FOR_EVER = "public, max-age=31536000, immutable"


class _File(NamedTuple):
    """A built file, as it is and packed."""

    media_type: str
    plain: bytes
    packed: bytes


def add_pages(api: FastAPI) -> None:
    """Answer the addresses of the pages, and of the files that they load."""
    for page in PAGES:
        api.add_route(f"/{page}", _shell, include_in_schema=False)
        if page:
            api.add_route(f"/{page}/{{one}}", _shell, include_in_schema=False)
    api.add_route(f"/{DOCS}", _viewer, include_in_schema=False)
    api.add_route(f"/{LICENCES}", _licences, include_in_schema=False)
    api.add_route(f"/{ASSETS}/{{name}}", _asset, include_in_schema=False)
    api.router.default = _missing(api.router.default)


def _missing(default: ASGIApp) -> ASGIApp:
    """What answers where no route does: a page to browsers, outside of the API."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_of_browser(Request(scope)):
            page = await _page(_SHELL, HTTPStatus.NOT_FOUND)
            await page(scope, receive, send)
        else:
            await default(scope, receive, send)

    return answer


def _is_of_browser(request: Request) -> bool:
    asks_for_page = "text/html" in request.headers.get("accept", "")
    return asks_for_page and request.method in LOOKS and not request.url.path.startswith("/api/")


async def _shell(_request: Request) -> Response:
    return await _page(_SHELL)


async def _viewer(_request: Request) -> Response:
    return await _page(_VIEWER)


async def _page(name: str, status: int = HTTPStatus.OK) -> Response:
    """A page, which styles of our own scripts may enter by a nonce."""
    file = await asyncio.to_thread(_file, name)
    nonce = secrets.token_urlsafe(16)
    page = file.plain.replace(_NONCE.encode(), nonce.encode())
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": policy(nonce)}
    return Response(page, status, headers, media_type=file.media_type)


async def _licences(request: Request) -> Response:
    file = await asyncio.to_thread(_file, LICENCES)
    return _answer(request, file, {"Cache-Control": "no-cache"})


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in await asyncio.to_thread(_assets):
        raise NotFoundError(f"there is no file {name!r}; reload the page")
    file = await asyncio.to_thread(_file, f"{ASSETS}/{name}")
    return _answer(request, file, {"Cache-Control": _FOR_EVER})


def _answer(request: Request, file: _File, headers: dict[str, str]) -> Response:
    headers |= {"Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(file.plain, media_type=file.media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(file.packed, media_type=file.media_type, headers=headers)


@cache
def _assets() -> frozenset[str]:
    """The names of the files that pages load."""
    return frozenset(file.name for file in _BUILT.joinpath(ASSETS).iterdir())


@cache
def _file(path: str) -> _File:
    """A built file; each is packed once, when it is first asked for."""
    content = _BUILT.joinpath(path).read_bytes()
    return _File(_MEDIA_TYPES[path.rpartition(".")[2]], content, gzip.compress(content, mtime=0))
