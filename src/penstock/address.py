"""Hosts and web addresses as people write them."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yarl import URL

_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}")


def web_address(text: str) -> URL | None:
    """The URL of an address with http or https and a host; None for any other text."""
    from yarl import URL  # noqa: PLC0415 - few commands need it

    try:
        url = URL(text)
        # Read here, because a part that cannot be encoded only fails when somebody asks for it.
        usable = url.scheme in {"http", "https"} and url.host and url.port
        usable = usable and is_host(url.raw_host or "")
    except (TypeError, ValueError):
        return None
    return url if usable else None


def is_host(text: str) -> bool:
    """Whether it is the name of a host, or an IP address, as the network takes it."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return bool(_HOST.fullmatch(text)) and _has_possible_labels(text)
    return True


def _has_possible_labels(name: str) -> bool:
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True
