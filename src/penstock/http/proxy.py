"""Finds the HTTP proxy for requests to a provider.

aiohttp's own `trust_env` (3.14) ignores ALL_PROXY and ports and networks in NO_PROXY, and sends
the credentials of ~/.netrc.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies_environment

import aiohttp
from yarl import URL

from penstock.address import web_address
from penstock.errors import InvalidInputError, SourceRefusedError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING = "PENSTOCK_PROXY"
_EXAMPLE = "http://user:password@proxy.example:3128"
_OTHER_SCHEME = re.compile(r"(?!https?:)([a-z][a-z0-9]{0,9})://", re.IGNORECASE)
_PASSWORD_NEEDED = 407
_SERVER_ERRORS = 500


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's address without a password, the setting that names it, and its credentials."""

    url: URL
    named_by: str
    authorization: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"the proxy {self.url} ({self.named_by})"

    def options(self, address: str) -> Mapping[str, Any]:
        """The options of an aiohttp request to this address."""
        if not self.authorization:
            return {"proxy": self.url}
        # For HTTPS only the CONNECT request carries the header, not the request in the tunnel.
        where = "proxy_headers" if address.startswith("https:") else "headers"
        return {"proxy": self.url, where: {"Proxy-Authorization": self.authorization}}

    def password_needed(self) -> SourceRefusedError:
        """The error of a 407 answer."""
        message = (
            f"{self} needs a user and password, or does not accept these "
            f"(HTTP {_PASSWORD_NEEDED}): set {SETTING} like {_EXAMPLE}"
        )
        return SourceRefusedError(message, status=_PASSWORD_NEEDED, blanket=True)

    def failure(self, error: Exception) -> SourceUnavailableError | SourceRefusedError | None:
        """The error of the proxy itself; None for a failure behind it."""
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return self._tunnel_failure(error)
        if isinstance(error, aiohttp.ClientConnectorError) and (error.host, error.port) == (
            self.url.host,
            self.url.port,
        ):
            return SourceUnavailableError(
                f"{self} cannot be reached ({error}); "
                f"set {SETTING} to another, or NO_PROXY to connect directly"
            )
        return None

    def _tunnel_failure(
        self, error: aiohttp.ClientHttpProxyError
    ) -> SourceUnavailableError | SourceRefusedError:
        if error.status == _PASSWORD_NEEDED:
            return self.password_needed()
        host = error.request_info.url.host
        message = f"{self} does not connect to {host} (HTTP {error.status} {error.message})"
        return (
            SourceUnavailableError(message)
            if error.status >= _SERVER_ERRORS
            else SourceRefusedError(message, status=error.status, blanket=True)
        )


def proxy_for(address: str, given: str) -> Proxy | None:
    """The proxy for an address: `given`, else the environment's; None to connect directly.

    Reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY as the standard library does, lower case
    first. NO_PROXY applies to `given` too. Loopback addresses never use a proxy.
    InvalidInputError when the proxy named is not an HTTP proxy.
    """
    url, environment = URL(address), getproxies_environment()
    host = (url.host or "").rstrip(".")
    if _is_loopback(host) or _is_excluded(host, url.port, environment):
        return None
    if given:
        return parse_proxy(given, SETTING)
    named = next((name for name in (url.scheme, "all") if name in environment), None)
    return parse_proxy(environment[named], f"{named.upper()}_PROXY") if named else None


def parse_proxy(text: str, named_by: str) -> Proxy:
    """InvalidInputError, without the text, which may hold a password, if it is no HTTP proxy."""
    address = text if "://" in text else f"http://{text}"
    url = web_address(address)
    with contextlib.suppress(ValueError):
        if url is not None:
            return Proxy(url.origin(), named_by, _authorization(url))
    other = _OTHER_SCHEME.match(address)
    problem = f"{other[1]} proxies are not supported" if other else "not a proxy address"
    raise InvalidInputError(
        f"{named_by}: {problem}; set {SETTING} to an HTTP proxy, like {_EXAMPLE}", field="proxy"
    )


def _authorization(url: URL) -> str:
    """The header's value, empty without a user; ValueError for a user that it cannot hold."""
    if url.user or url.password:
        return aiohttp.encode_basic_auth(url.user or "", url.password or "")
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _ip(host)
    return address is not None and (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _is_excluded(host: str, port: int | None, environment: Mapping[str, str]) -> bool:
    """Whether NO_PROXY names it.

    An entry is `*`, a network, or a host with its subdomains, optionally with a leading dot or a
    port.
    """
    entries = [entry.strip().lower().lstrip(".") for entry in environment.get("no", "").split(",")]
    address = _ip(host)
    return any(
        entry and (_names(entry, host, port) or (address is not None and _holds(entry, address)))
        for entry in entries
    )


def _names(entry: str, host: str, port: int | None) -> bool:
    return entry == "*" or any(
        f".{place}".endswith(f".{entry}") for place in (host, f"{host}:{port}")
    )


def _holds(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
