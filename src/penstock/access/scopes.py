"""Who may do what: scopes, and the tokens that carry them."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass
from enum import StrEnum

_PREFIX = "pst_"
_BYTES = 32
_SECRET_SIGNS = 43
_CHECK_SIGNS = 6
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# What a token looks like wherever it turns up, to keep it out of logs.
TOKEN_PATTERN = re.compile(rf"\b{_PREFIX}[0-9A-Za-z]+")


class Scope(StrEnum):
    """What a token is good for. Each scope holds those above it."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def covers(self, needed: Scope) -> bool:
        """Whether this scope is enough where `needed` is asked for."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is kept of a token: everything but the token itself. Times are ms since the epoch."""

    id: int
    name: str
    scope: Scope
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None
    revoked_at: int | None = None

    def works_at(self, now_ms: int) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now_ms < self.expires_at)


def new_token() -> str:
    """A token nobody can guess: `pst_`, 256 random bits, and a checksum that shows typing errors without a look at the database."""
    secret = _base62(int.from_bytes(secrets.token_bytes(_BYTES)), _SECRET_SIGNS)
    return f"{_PREFIX}{secret}{_checksum(secret)}"


def is_token(text: str) -> bool:
    """Whether it was made by `new_token`, as far as its form tells."""
    secret, check = text[len(_PREFIX) : -_CHECK_SIGNS], text[-_CHECK_SIGNS:]
    return text.startswith(_PREFIX) and len(secret) == _SECRET_SIGNS and check == _checksum(secret)


def digest_of(token: str) -> str:
    """What is stored of a token. It is random enough for a plain hash: a slow one on each request would be a way to stop the service."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(secret: str) -> str:
    return _base62(zlib.crc32(secret.encode()), _CHECK_SIGNS)


def _base62(number: int, width: int) -> str:
    signs = ""
    while number:
        number, place = divmod(number, len(_ALPHABET))
        signs = _ALPHABET[place] + signs
    return signs.rjust(width, _ALPHABET[0])
