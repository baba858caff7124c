"""Sends webhooks: a signed POST of JSON to a checked address."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import time
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from penstock import __version__
from penstock.address import web_address
from penstock.alerts.notify.addresses import resolve
from penstock.errors import InvalidInputError, UndeliveredError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

    from penstock.alerts.book import AlertTarget

SIGNATURE = "Penstock-Signature"
MESSAGE_ID = "Penstock-Message-Id"

# How much of an answer is read; only its status counts.
_ANSWER_BYTES = 4_096
_SUCCESSFUL, _REDIRECTS = range(200, 300), range(300, 400)


def parse(url: str) -> URL:
    """The URL of a webhook, or InvalidInputError."""
    parsed = web_address(url)
    if parsed is None:
        raise InvalidInputError(
            "url: a webhook has an address such as https://example.org/path", field="url"
        )
    return parsed


def signature(key: str, body: bytes, at_s: int) -> str:
    """The header's value: the time (s), and the HMAC-SHA256 of `<time>.<body>`."""
    digest = hmac.new(key.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


class WebhookSender:
    """Sends to webhooks; `deadline_s` covers a message from name lookup to the answer's end."""

    def __init__(self, *, deadline_s: float, allow_private: bool) -> None:
        self._deadline_s = deadline_s
        self._allow_private = allow_private

    async def send(self, target: AlertTarget, body: Mapping[str, object]) -> str:
        """Send a message; every answer but 2xx is a failure, also a redirect."""
        try:
            async with asyncio.timeout(self._deadline_s):
                status = await self._post(target, body)
        except TimeoutError:
            raise UndeliveredError(f"no answer within {self._deadline_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UndeliveredError(f"it cannot be reached: {type(error).__name__}") from error
        if status not in _SUCCESSFUL:
            redirect = "; redirects are not followed" if status in _REDIRECTS else ""
            raise UndeliveredError(f"it answered {status}{redirect}")
        return f"it answered {status}"

    async def check(self, url: str) -> None:
        """Raise InvalidInputError for a refused address; an unknown name may be known later."""
        parsed = parse(url)
        try:
            async with asyncio.timeout(self._deadline_s):
                await resolve(str(parsed.host), parsed.port or 0, allow_private=self._allow_private)
        except (TimeoutError, UndeliveredError):
            return

    async def _post(self, target: AlertTarget, body: Mapping[str, object]) -> int:
        url = parse(target.url)
        endpoints = await resolve(str(url.host), url.port or 0, allow_private=self._allow_private)
        data = json.dumps(body, separators=(",", ":")).encode()
        # One connection per message, and no lookup after the check.
        connector = aiohttp.TCPConnector(
            resolver=_Checked(endpoints), use_dns_cache=False, force_close=True
        )
        timeout = aiohttp.ClientTimeout(total=self._deadline_s)
        jar = aiohttp.DummyCookieJar()
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=jar, auto_decompress=False
            ) as session,
            session.post(
                url, data=data, headers=_headers(target, body, data), allow_redirects=False
            ) as answer,
        ):
            await answer.content.read(_ANSWER_BYTES)
            return answer.status


def _headers(target: AlertTarget, body: Mapping[str, object], data: bytes) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Penstock/{__version__}",
        MESSAGE_ID: str(body["id"]),
    }
    if target.signing_key is not None:
        headers[SIGNATURE] = signature(target.signing_key, data, int(time.time()))
    return headers


class _Checked(AbstractResolver):
    """Resolves every name to the checked addresses."""

    def __init__(self, endpoints: list[ResolveResult]) -> None:
        self._endpoints = endpoints

    async def resolve(
        self,
        host: str,  # noqa: ARG002 - aiohttp's signature
        port: int = 0,  # noqa: ARG002 - aiohttp's signature
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's signature
    ) -> list[ResolveResult]:
        return self._endpoints

    async def close(self) -> None:
        """Nothing to close."""
