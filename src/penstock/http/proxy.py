"""Which way requests to a provider go: by an HTTP proxy, or directly.

aiohttp's own `trust_env` (3.14) knows no ALL_PROXY, no ports and networks in NO_PROXY, and sends what is in ~/.netrc; so the proxy is found here.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies_environment

import aiohttp
from yarl import URL

from penstock.errors import InvalidInputError, SourceRefusedError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING = "PENSTOCK_PROXY"
_EXAMPLE = "http://user:password@proxy.example:3128"
_WANTS_PASSWORD = 407
_SERVER_ERRORS = 500


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: its address without a password, the setting or variable that names it, and the header that lets us in."""

    url: URL
    named_by: str
    authorization: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"the proxy {self.url} of {self.named_by}"

    def options(self, address: str) -> Mapping[str, Any]:
        """What aiohttp is told for a request to this address by the proxy."""
        if not self.authorization:
            return {"proxy": self.url}
        # The proxy reads the request itself, unless a tunnel is asked for: then the header is for that question only.
        where = "proxy_headers" if address.startswith("https:") else "headers"
        return {"proxy": self.url, where: {"Proxy-Authorization": self.authorization}}

    def wants_password(self) -> SourceRefusedError:
        """What a 407 means."""
        message = f"{self} wants a user and a password, or other ones (HTTP {_WANTS_PASSWORD}): set {SETTING} like {_EXAMPLE}"
        return SourceRefusedError(message, status=_WANTS_PASSWORD, whatever=True)

    def failure(self, error: Exception) -> SourceUnavailableError | SourceRefusedError | None:
        """What went wrong at the proxy; None for what went wrong behind it."""
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return self._not_let_through(error)
        if isinstance(error, aiohttp.ClientConnectorError) and (error.host, error.port) == (
            self.url.host,
            self.url.port,
        ):
            return SourceUnavailableError(
                f"{self} cannot be reached ({error}); set {SETTING} to another one, or NO_PROXY to go without"
            )
        return None

    def _not_let_through(
        self, error: aiohttp.ClientHttpProxyError
    ) -> SourceUnavailableError | SourceRefusedError:
        if error.status == _WANTS_PASSWORD:
            return self.wants_password()
        message = f"{self} does not open a way to {error.request_info.url.host} (HTTP {error.status} {error.message})"
        return (
            SourceUnavailableError(message)
            if error.status >= _SERVER_ERRORS
            else SourceRefusedError(message, status=error.status, whatever=True)
        )


def proxy_for(address: str, given: str) -> Proxy | None:
    """The proxy on the way to an address: the `given` one, else that of the environment; None for the direct way.

    HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are read as the standard library does, small letters first. NO_PROXY holds for a given one too.
    What is on this machine is never asked for by a proxy. InvalidInputError when what is named is no HTTP proxy.
    """
    url, environment = URL(address), getproxies_environment()
    host = (url.host or "").rstrip(".")
    if _is_this_machine(host) or _is_excepted(host, url.port, environment):
        return None
    if given:
        return parse_proxy(given, SETTING)
    named = next((name for name in (url.scheme, "all") if name in environment), None)
    return parse_proxy(environment[named], f"{named.upper()}_PROXY") if named else None


def parse_proxy(text: str, named_by: str) -> Proxy:
    """InvalidInputError for what is no HTTP proxy; it does not show the text, which may hold a password."""
    try:
        url = URL(text if "://" in text else f"http://{text}")
        authorization = (
            aiohttp.encode_basic_auth(url.user or "", url.password or "")
            if url.user or url.password
            else ""
        )
    except ValueError:
        url, authorization = URL(), ""
    if url.scheme not in {"http", "https"} or not url.host:
        what = (
            f"{url.scheme} proxies cannot be used" if url.scheme else "it is no address of a proxy"
        )
        raise InvalidInputError(
            f"{named_by}: {what}; set {SETTING} to an HTTP proxy, like {_EXAMPLE}", field="proxy"
        )
    return Proxy(url.origin(), named_by, authorization)


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _ip(host)
    return address is not None and (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _is_excepted(host: str, port: int | None, environment: Mapping[str, str]) -> bool:
    """Whether NO_PROXY has it: * for all, a host with those below it, with a dot before it or without, with a port or without, or a network."""
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
