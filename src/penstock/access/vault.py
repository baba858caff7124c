"""Encrypts stored secrets, such as alert targets, with a key that is not in the database."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from penstock.errors import SecretKeyError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Keys(Protocol):
    """The source of the keys: the first encrypts, all decrypt. SecretKeyError if malformed."""

    def found(self) -> Sequence[str]:
        """The existing keys."""

    def needed(self) -> Sequence[str]:
        """The keys to store a secret; creates one, or raises SecretKeyError with the fix."""


class Vault:
    """Encrypts and decrypts text. Both may read a file, so call them in a thread."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def seal(self, text: str) -> str:
        """The encrypted text, different each time. SecretKeyError when there is no key."""
        return _cipher(self._keys.needed()).encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The decrypted text; SecretKeyError for an unknown key or a changed text."""
        if keys := self._keys.found():
            with contextlib.suppress(InvalidToken):
                return _cipher(keys).decrypt(sealed).decode()
        raise SecretKeyError(
            "PENSTOCK_SECRET_KEY: the secrets in this database were encrypted with another key; "
            "set that key, or enter the secrets again"
        )


def new_key() -> str:
    return Fernet.generate_key().decode()


def parse_keys(text: str, *, where: str) -> list[str]:
    """The keys of a text, separated by commas or white space.

    SecretKeyError names `where` the text is from and shows nothing of it.
    """
    keys = text.replace(",", " ").split()
    try:
        _cipher(keys)
    except ValueError:
        raise SecretKeyError(
            f"{where}: a key is 32 random bytes in URL-safe base64; "
            "make one with: openssl rand -base64 32 | tr '+/' '-_'"
        ) from None
    return keys


def _cipher(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
