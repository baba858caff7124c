"""Scopes, and the tokens that carry them."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass
from enum import StrEnum

_PREFIX = "pst_"
_BYTES = 32
_SECRET_CHARS = 43
_CHECK_CHARS = 6
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# Matches tokens anywhere, to keep them out of logs.
TOKEN_PATTERN = re.compile(rf"\b{_PREFIX}[0-9A-Za-z]+")


class Scope(StrEnum):
    """What a token permits. Each scope includes those before it."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def covers(self, needed: Scope) -> bool:
        """Whether this scope includes `needed`."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token without its secret. Times are ms since the epoch."""

    id: int
    name: str
    scope: Scope
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None
    revoked_at: int | None = None

    def works_at(self, now_ms: int) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now_ms < self.expires_at)


def new_token() -> str:
    """A new token: `pst_`, 256 random bits, and a checksum that catches typing errors."""
    secret = _base62(int.from_bytes(secrets.token_bytes(_BYTES)), _SECRET_CHARS)
    return f"{_PREFIX}{secret}{_checksum(secret)}"


def is_token(text: str) -> bool:
    """Whether it has the form of a token from `new_token`."""
    secret, check = text[len(_PREFIX) : -_CHECK_CHARS], text[-_CHECK_CHARS:]
    return text.startswith(_PREFIX) and len(secret) == _SECRET_CHARS and check == _checksum(secret)


def digest_of(token: str) -> str:
    """The stored hash of a token.

    Tokens are random enough for a fast hash; a slow one per request would invite overload.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(secret: str) -> str:
    return _base62(zlib.crc32(secret.encode()), _CHECK_CHARS)


def _base62(number: int, width: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits.rjust(width, _ALPHABET[0])
