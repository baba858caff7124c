"""Where the keys of the vault are kept: in the settings, or in a file beside an SQLite database."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from penstock.access.private import ONLY_OURS
from penstock.access.vault import new_key, parse_keys
from penstock.errors import SecretKeyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class GivenKeys:
    """Keys from the settings, or none."""

    def __init__(self, text: str | None) -> None:
        self._text = text

    def found(self) -> Sequence[str]:
        """The keys of the setting."""
        return parse_keys(self._text, where="PENSTOCK_SECRET_KEY") if self._text else []

    def needed(self) -> Sequence[str]:
        """The keys of the setting; SecretKeyError without any."""
        if keys := self.found():
            return keys
        raise SecretKeyError(
            "secrets are stored encrypted, and there is no key: set PENSTOCK_SECRET_KEY,"
            " the same in all processes, to the output of: openssl rand -base64 32 | tr '+/' '-_'"
        )


class KeyFile:
    """A file with a key in each line.

    One of `ours` is made at first need, readable by its owner only; others are only read.
    """

    def __init__(self, file: Path, *, ours: bool) -> None:
        self.file = file
        self.ours = ours

    def found(self) -> Sequence[str]:
        """The keys in the file; none if one of ours does not exist yet."""
        try:
            text = self.file.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            if self.ours and isinstance(error, FileNotFoundError):
                return []
            why = getattr(error, "strerror", None) or "it holds no key"
            named = "" if self.ours else "; PENSTOCK_SECRET_KEY_FILE names it"
            raise SecretKeyError(f"the key file {self.file} cannot be read: {why}{named}") from None
        return parse_keys(text, where=str(self.file))

    def needed(self) -> Sequence[str]:
        """The keys in the file; a new one if it is ours and does not exist."""
        if keys := self.found():
            return keys
        with self._written([new_key()]) as new, contextlib.suppress(FileExistsError):
            # A link never replaces a file: of two processes, both then use the first one's key.
            os.link(new, self.file)
        if keys := self.found():
            return keys
        raise SecretKeyError(
            f"the key file {self.file} is a link to a file that does not exist; remove the link"
        )

    def replace(self, keys: Sequence[str]) -> None:
        """Replace the keys by these, atomically."""
        with self._written(keys) as new:
            new.replace(self.file)

    @contextlib.contextmanager
    def _written(self, keys: Sequence[str]) -> Iterator[Path]:
        """A synced file of another name with the keys: a lost key would lose the secrets."""
        new = self.file.with_name(f"{self.file.name}.{secrets.token_hex(8)}")
        try:
            how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(new, how, ONLY_OURS)
            with os.fdopen(descriptor, "w", encoding="ascii") as opened:
                opened.write("".join(f"{key}\n" for key in keys))
                opened.flush()
                os.fsync(descriptor)
            yield new
            _sync_folder(self.file.parent)
        except FileExistsError:
            raise
        except OSError as error:
            raise SecretKeyError(
                f"the key file {self.file} cannot be written: {error.strerror}"
            ) from error
        finally:
            new.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
