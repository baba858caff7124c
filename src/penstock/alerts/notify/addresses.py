"""Allows alerts only to addresses of the public internet, unless the settings allow others.

Otherwise whoever may add a target could reach what only the service can: itself, its neighbours,
the cloud's metadata.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from aiohttp.abc import ResolveResult

from penstock.errors import InvalidInputError, UndeliveredError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# IPv6 addresses whose last four bytes are the IPv4 address that a translator connects to.
_TRANSLATED = tuple(ipaddress.IPv6Network(network) for network in ("64:ff9b::/96", "::/96"))
# A network's own translator. Python's list of private networks has it only since 3.12.4.
_LOCAL_TRANSLATOR = ipaddress.IPv6Network("64:ff9b:1::/48")
# Azure's wire server: a public address that gives each virtual machine there its secrets.
_METADATA = ipaddress.IPv4Address("168.63.129.16")


async def resolve(host: str, port: int, *, allow_private: bool) -> list[ResolveResult]:
    """The addresses of a host, in the resolver's order.

    Connect to one of these, not to the name, which may change its meaning a moment later.
    InvalidInputError when one is not public, UndeliveredError when there are none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a valid name"
        raise UndeliveredError(f"url: the host {host!r} is not known ({reason})") from None
    endpoints = [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=family,
            proto=0,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for family, _, _, _, address in found
    ]
    addresses = [ipaddress.ip_address(endpoint["host"]) for endpoint in endpoints]
    if not (allow_private or all(map(is_public, addresses))):
        raise InvalidInputError(
            f"url: {host!r} is an address of a private network or of this machine; "
            "allow those with PENSTOCK_ALERT_PRIVATE_TARGETS=true",
            field="url",
        )
    return endpoints


def is_public(address: IpAddress) -> bool:
    """Whether it is public, and so is every IPv4 address that it carries for a tunnel."""
    return all(map(_is_public, _destinations(address)))


def _is_public(address: IpAddress) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved or address == _METADATA:
        return False
    return isinstance(address, ipaddress.IPv4Address) or not (
        address.is_site_local or address in _LOCAL_TRANSLATOR
    )


def _destinations(address: IpAddress) -> list[IpAddress]:
    """The addresses at which a packet to this one may arrive."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    inner: list[IpAddress] = [
        carried for carried in (address.sixtofour, *(address.teredo or ())) if carried is not None
    ]
    if any(address in network for network in _TRANSLATED):
        # A translator's prefix is never "global"; its destination decides.
        return [ipaddress.IPv4Address(address.packed[-4:])]
    return [address, *inner]
