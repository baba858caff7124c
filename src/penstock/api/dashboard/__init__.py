"""The dashboard: one shell for all addresses of its pages, and the built files that it loads.

`built/` is what `make frontend` writes; a test compares it with a new build.
"""

from __future__ import annotations

import asyncio
import gzip
import secrets
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

from penstock.api.guard.headers import policy
from penstock.api.guard.scopes import ASSETS, PAGES
from penstock.errors import NotFoundError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

# What the build writes where the nonce of an answer belongs: frontend/vite.config.ts.
_NONCE = "csp-nonce-of-this-answer"
_SHELL = "index.html"
# Not as the system has them: a browser runs no script of another type.
_MEDIA_TYPES = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
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
    api.add_route(f"/{ASSETS}/{{name}}", _asset, include_in_schema=False)


async def _shell(_request: Request) -> Response:
    """The shell, which styles of our own scripts may enter by a nonce."""
    files = await asyncio.to_thread(_built)
    nonce = secrets.token_urlsafe(16)
    page = files[_SHELL].plain.replace(_NONCE.encode(), nonce.encode())
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": policy(nonce)}
    return Response(page, media_type=files[_SHELL].media_type, headers=headers)


async def _asset(request: Request) -> Response:
    files = await asyncio.to_thread(_built)
    name = request.path_params["name"]
    if name not in files or name == _SHELL:
        raise NotFoundError(f"there is no file {name!r}; reload the page")
    file = files[name]
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(file.plain, media_type=file.media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(file.packed, media_type=file.media_type, headers=headers)


@cache
def _built() -> dict[str, _File]:
    """The built files by their names, which differ."""
    built = resources.files(__name__).joinpath("built")
    found = [built.joinpath(_SHELL), *built.joinpath(ASSETS).iterdir()]
    return {file.name: _read(file.name, file.read_bytes()) for file in found}


def _read(name: str, content: bytes) -> _File:
    packed = gzip.compress(content, mtime=0)
    return _File(_MEDIA_TYPES[name.rpartition(".")[2]], content, packed)
