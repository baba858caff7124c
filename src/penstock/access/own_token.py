"""The token of a user's own processes, where the system does not tell whose a connection is.

A service that is open to its user writes it to a file that only this user can read; the user's
commands read it there.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from urllib.parse import urlsplit

from penstock.access.private import ONLY_OURS, make_folder
from penstock.access.scopes import new_token

_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


def write_token(url: str) -> str:
    """A new token, in the file of the service at `url`; OSError when it cannot be written."""
    file = _file(url)
    make_folder(file.parent)
    # What a service that was killed has left; nobody else can have written it.
    file.unlink(missing_ok=True)
    token = new_token()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, ONLY_OURS), "w") as out:
        out.write(token)
    return token


def remove_token(url: str) -> None:
    """Remove the file of the service at `url`."""
    _file(url).unlink(missing_ok=True)


def read_token(url: str) -> str | None:
    """The token of the service at `url` on this machine; None without a file that we can read."""
    if urlsplit(url).hostname not in _THIS_MACHINE:
        return None
    with contextlib.suppress(OSError, RuntimeError):
        return _file(url).read_text("ascii")
    return None


def state_folder() -> Path:
    """Where this user's running processes leave files; RuntimeError when this user has no home."""
    state = os.environ.get("XDG_STATE_HOME")
    folder = Path(state) if state else Path("~/.local/state").expanduser()
    return folder / "penstock"


def _file(url: str) -> Path:
    """One of each port."""
    return state_folder() / f"{urlsplit(url).port}.token"
