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

# Networks for a special purpose, by the registries of IANA and the RFCs that they name:
# https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry.
# Here, and not by `is_global`, whose list is another one in each version of Python.
_SPECIAL_IPV4 = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24
198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
"""
# Azure's wire server: a public address that gives each virtual machine there its secrets.
_METADATA = "168.63.129.16/32"
# Of IPv6, only this is used for hosts of the internet, without what is special in it.
_UNICAST = ipaddress.IPv6Network("2000::/3")
_SPECIAL_IPV6 = "2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20"
_SPECIAL = [
    ipaddress.ip_network(network)
    for network in f"{_SPECIAL_IPV4} {_METADATA} {_SPECIAL_IPV6}".split()
]
# IPv6 addresses whose last four bytes are the IPv4 address that a packet arrives at: mapped ones,
# and those of a translator, which is all that a network without IPv4 has for a public host.
_CARRYING = [ipaddress.IPv6Network(network) for network in ("::ffff:0:0/96", "64:ff9b::/96")]


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
    """Whether a host of the internet may have it."""
    if any(address in network for network in _CARRYING):
        address = ipaddress.IPv4Address(address.packed[-4:])
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    return not any(address in network for network in _SPECIAL)
