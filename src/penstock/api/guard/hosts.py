"""The hosts that requests may name: only our own.

It keeps out pages of other sites, by DNS rebinding or cross-site requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.errors import ForbiddenHostError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.api.guard.head import RequestHead

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_ANY = "*"
_ANY_ADDRESS = {"0.0.0.0", "[::]"}  # noqa: S104 - compared with, not listened on


class Hosts:
    """The names of the service: this machine's own, its address, those that the settings allow."""

    def __init__(self, listening_on: str, allowed: Iterable[str]) -> None:
        # Pages of other sites may ask when they were named: those of a proxy, or of a front end.
        self._pages = {_in_brackets(name.lower()) for name in allowed}
        self._names = LOOPBACK | self._pages | {_in_brackets(listening_on.lower())} - _ANY_ADDRESS

    def check(self, head: RequestHead) -> None:
        """ForbiddenHostError when the Host or an Origin is another site's.

        WebSockets need this too: browsers open them without asking first.
        """
        hosts = [name.lower() for name in head.values(b"host")]
        origins = [name.lower().partition("://")[2] for name in head.values(b"origin")]
        ours = len(hosts) == 1 and not self._names.isdisjoint({_ANY, _without_port(hosts[0])})
        if not ours or not all(self._is_page_of(origin, hosts[0]) for origin in origins):
            raise ForbiddenHostError(
                "the Host or Origin header names another site; use http://127.0.0.1 or "
                "http://localhost, or add it to PENSTOCK_ALLOWED_HOSTS"
            )

    def _is_page_of(self, origin: str, host: str) -> bool:
        return origin == host or _without_port(origin) in self._pages


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address to listen on."""
    return _in_brackets(address.lower()) in LOOPBACK


def _without_port(name: str) -> str:
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdecimal() else name


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
