"""The user of the process at the other end of a connection within this machine."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from concurrent.futures import Executor

# Where a request finds it in its scope's state.
PEER = "penstock.peer"

# sock_diag(7) and linux/inet_diag.h: a request for the one TCP socket with these ends, in any
# state, on any interface, whatever its cookie; and the head of an answer.
_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = struct.Struct("=IHHII BBBBI 4s16s16s III")
_ANY_STATE = _ANY_COOKIE = 0xFFFF_FFFF
_HEAD = struct.Struct("=IHHII BBBB 48s IIIII")
_LISTENING = 10
_ANSWER_BYTES = 8_192
_DEADLINE_S = 1.0

# proc_net_tcp(5). The sockets of IPv6 are also those of IPv6 that reach an address of IPv4.
_TABLE = Path("/proc/net/tcp")
_TABLE_6 = Path("/proc/net/tcp6")
_MAPPED = "::ffff:"
_WORD = 4


class End(NamedTuple):
    """An end of a connection."""

    address: str
    port: int


class Peer:
    """The process at the other end of a connection, which is looked up once."""

    def __init__(self, client: End, server: End) -> None:
        self._ends = client, server
        self._lookup: asyncio.Future[int | None] | None = None

    async def user(self, lookups: Executor) -> int | None:
        """The id of its user; None when it cannot be told."""
        if self._lookup is None:
            loop = asyncio.get_running_loop()
            self._lookup = loop.run_in_executor(lookups, user_of, *self._ends)
        return await asyncio.shield(self._lookup)


def can_be_told() -> bool:
    """Whether this system tells whose a connection is; tried with one of our own."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        return user_of(End(*client.getsockname()), End(*client.getpeername())) == os.geteuid()


def user_of(client: End, server: End) -> int | None:
    """The id of the user whose process holds the client's end; None when it cannot be told."""
    user = _asked(client, server)
    return _read(client, server) if user is None else user


def _asked(client: End, server: End) -> int | None:
    """The kernel's answer; None where it answers no such questions."""
    addresses = [ipaddress.ip_address(end.address).packed for end in (client, server)]
    family = socket.AF_INET6 if ":" in client.address else socket.AF_INET
    request = _REQUEST.pack(
        *(_REQUEST.size, _SOCK_DIAG_BY_FAMILY, 1, 0, 0),
        *(family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE),
        *(struct.pack(">HH", client.port, server.port), *addresses),
        *(0, _ANY_COOKIE, _ANY_COOKIE),
    )
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as kernel:
            kernel.settimeout(_DEADLINE_S)
            kernel.send(request)
            answer = kernel.recv(_ANSWER_BYTES)
    except (AttributeError, OSError):
        return None
    if len(answer) < _HEAD.size:
        return None
    _, kind, _, _, _, _, state, *_, user, inode = _HEAD.unpack_from(answer)
    told = kind == _SOCK_DIAG_BY_FAMILY and state != _LISTENING
    return user if told and inode else None


def _read(client: End, server: End) -> int | None:
    """What the list of all connections says; reading it takes milliseconds."""
    if ":" in client.address:
        return _listed(_TABLE_6, client, server)
    mapped = (End(_MAPPED + end.address, end.port) for end in (client, server))
    user = _listed(_TABLE, client, server)
    return _listed(_TABLE_6, *mapped) if user is None else user


def _listed(table: Path, client: End, server: End) -> int | None:
    try:
        text = table.read_text("ascii")
    except OSError:
        return None
    _, _, row = text.partition(f" {_in_hex(client)} {_in_hex(server)} ")
    if not row:
        return None
    _state, _queues, _timer, _retransmits, user, _timeout, inode, *_ = row.split(maxsplit=7)
    # A socket that no process holds any more is listed as one of user 0.
    return None if inode == "0" else int(user)


def _in_hex(end: End) -> str:
    """As the tables have it: words in the byte order of the machine."""
    packed = ipaddress.ip_address(end.address).packed
    words = (packed[at : at + _WORD] for at in range(0, len(packed), _WORD))
    address = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{address}:{end.port:04X}"
