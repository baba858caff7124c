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
        names = {_in_brackets(name.lower()) for name in (listening_on, *allowed)}
        self._names = LOOPBACK | names - _ANY_ADDRESS

    def check(self, head: RequestHead) -> None:
        """ForbiddenHostError when the Host or an Origin is another site's.

        WebSockets need this too: browsers open them without asking first.
        """
        hosts = [_without_port(name) for name in head.values(b"host")]
        origins = [_without_port(origin.partition("://")[2]) for origin in head.values(b"origin")]
        # Where any name will do, a page may still ask only the service that it came from.
        ours = {*hosts} if _ANY in self._names else self._names
        if len(hosts) != 1 or not ours.issuperset(hosts) or not ours.issuperset(origins):
            raise ForbiddenHostError(
                "the Host or Origin header names another site; use http://127.0.0.1 or "
                "http://localhost, or add it to PENSTOCK_ALLOWED_HOSTS"
            )


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address to listen on."""
    return _in_brackets(address.lower()) in LOOPBACK


def _without_port(name: str) -> str:
    host, colon, port = name.rpartition(":")
    return (host if colon and port.isdecimal() else name).lower()


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
