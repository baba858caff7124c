"""Which addresses an alert may be sent to: only those of the public internet, unless the settings allow others.

Who may add a target could otherwise make the service ask what only it can reach: itself, its neighbours, the cloud's metadata.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass

from penstock.errors import InvalidInputError, UndeliveredError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# IPv6 addresses that carry an IPv4 address in their last four bytes: what a translator makes of them counts.
_TRANSLATED = tuple(ipaddress.IPv6Network(network) for network in ("64:ff9b::/96", "::/96"))
# A network's own translator, with the IPv4 address anywhere. Python's list of private networks has it only since 3.12.4.
_LOCAL_TRANSLATOR = ipaddress.IPv6Network("64:ff9b:1::/48")
# Azure's wire server: a public address that every virtual machine there can ask for its secrets.
_METADATA = ipaddress.IPv4Address("168.63.129.16")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that was checked, as the resolver gave it."""

    family: int
    address: str


async def resolve(host: str, port: int, *, allow_private: bool) -> list[Endpoint]:
    """The addresses of a host, in the resolver's order; InvalidInputError when one of them is not public, UndeliveredError when there are none.

    Connect to one of these and not to the name: the name may mean another address a moment later.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except (OSError, UnicodeError) as error:
        message = f"url: the host {host!r} is not known ({getattr(error, 'strerror', None) or 'no valid name'})"
        raise UndeliveredError(message) from None
    endpoints = [Endpoint(family, str(address[0])) for family, _, _, _, address in found]
    if not allow_private:
        for endpoint in endpoints:
            refuse_private(host, endpoint.address)
    return endpoints


def refuse_private(host: str, address: str) -> None:
    """InvalidInputError for an address that is not of the public internet."""
    if not is_public(ipaddress.ip_address(address)):
        message = f"url: {host!r} is an address of a private network or of this machine; allow those with PENSTOCK_ALERT_PRIVATE_TARGETS=true"
        raise InvalidInputError(message, field="url")


def is_public(address: IpAddress) -> bool:
    """Whether it is of the public internet, also as seen through the tunnels and translations that put an IPv4 address into an IPv6 one."""
    return all(map(_is_public, _meant(address)))


def _is_public(address: IpAddress) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved or address == _METADATA:
        return False
    return isinstance(address, ipaddress.IPv4Address) or not (
        address.is_site_local or address in _LOCAL_TRANSLATOR
    )


def _meant(address: IpAddress) -> list[IpAddress]:
    """The addresses that a packet to this one may end at."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    inner: list[IpAddress] = [
        one for one in (address.sixtofour, *(address.teredo or ())) if one is not None
    ]
    if any(address in network for network in _TRANSLATED):
        # The prefix of a translator is not "global"; what counts is where it leads to.
        return [ipaddress.IPv4Address(address.packed[-4:])]
    return [address, *inner]
