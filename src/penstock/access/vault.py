"""The vault: secrets that are stored, such as the addresses that alerts go to, are encrypted with a key that is not in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from penstock.errors import SecretKeyError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Keys(Protocol):
    """Where the keys come from; the first one seals, all of them open. SecretKeyError for what is no key."""

    def found(self) -> Sequence[str]:
        """The keys that are there; none when there are none yet."""

    def needed(self) -> Sequence[str]:
        """The same when a secret is about to be stored: a key is made, or SecretKeyError says what to set."""


class Vault:
    """Seals text and opens it again. Both may read a file, so they belong into a thread, such as that of a transaction."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def seal(self, text: str) -> str:
        """The text, to be read with the key only; twice the same text is sealed differently. SecretKeyError when there is no key."""
        return _cipher(self._keys.needed()).encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What was sealed; SecretKeyError when it was sealed with a key that is not among ours, or was changed."""
        keys = self._keys.found()
        if not keys:
            _wrong_key()
        try:
            return _cipher(keys).decrypt(sealed).decode()
        except InvalidToken:
            _wrong_key()


def new_key() -> str:
    """A key that nobody has yet."""
    return Fernet.generate_key().decode()


def parse_keys(text: str, *, where: str) -> list[str]:
    """The keys of a text, with commas or line ends between them; SecretKeyError names `where` the text is from, and shows nothing of it."""
    keys = text.replace(",", " ").split()
    try:
        _cipher(keys)
    except ValueError:
        message = f"{where}: a key is 32 random bytes in URL-safe base64; make one with: openssl rand -base64 32 | tr '+/' '-_'"
        raise SecretKeyError(message) from None
    return keys


def _cipher(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _wrong_key() -> NoReturn:
    message = "PENSTOCK_SECRET_KEY: secrets in this database were sealed with another key; set it to that one, or enter the secrets again"
    raise SecretKeyError(message)
