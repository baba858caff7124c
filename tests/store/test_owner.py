"""One process owns a SQLite file by the operating system's lock, tested with real processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from penstock.errors import ConflictError, StoreUnavailableError
from penstock.store.owner import owned, owner_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OWNER = """
import sys
from pathlib import Path
from penstock.store.owner import owned
with owned(Path(sys.argv[1]), url="http://127.0.0.1:8000"):
    print("owned", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def owning_process(database: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that owns the file until its input ends."""
    command = [sys.executable, "-c", _OWNER, str(database)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owned\n"
        yield process


def test_a_second_process_is_refused_with_the_first_ones_number_and_address(tmp_path: Path) -> None:
    with (
        owning_process(tmp_path / "penstock.db") as first,
        pytest.raises(
            ConflictError,
            match=rf"another process \({first.pid}, which serves at http://127\.0\.0\.1:8000\)",
        ),
        owned(tmp_path / "penstock.db"),
    ):
        pass


def test_an_owner_that_has_not_written_its_name_yet_is_another_process(tmp_path: Path) -> None:
    database = tmp_path / "penstock.db"
    with owned(database, url="http://127.0.0.1:8000"):
        assert owner_url(database) == "http://127.0.0.1:8000"
        os.truncate(tmp_path / "penstock.db.lock", 0)
        assert owner_url(database) is None
        with pytest.raises(ConflictError, match="in use by another process; stop"), owned(database):
            pass
    assert owner_url(database) is None


def test_the_file_is_free_again_when_its_owner_ends(tmp_path: Path) -> None:
    with owning_process(tmp_path / "penstock.db") as first:
        first.communicate()
    with owned(tmp_path / "penstock.db"):
        pass


def test_the_file_is_free_again_when_its_owner_is_killed(tmp_path: Path) -> None:
    with owning_process(tmp_path / "penstock.db") as first:
        first.kill()
        first.wait()
        with owned(tmp_path / "penstock.db"):
            pass


def test_a_file_is_owned_under_all_its_names(tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(tmp_path / "penstock.db")
    with (
        owning_process(tmp_path / "penstock.db"),
        pytest.raises(ConflictError),
        owned(tmp_path / "other"),
    ):
        pass


def test_two_files_in_one_folder_have_an_owner_each(tmp_path: Path) -> None:
    with owning_process(tmp_path / "one.db"), owned(tmp_path / "two.db"):
        pass


def test_the_folder_is_made_when_it_is_missing(tmp_path: Path) -> None:
    with owned(tmp_path / "new" / "folder" / "penstock.db"):
        assert (tmp_path / "new" / "folder").is_dir()


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreUnavailableError, match=r"file/penstock\.db cannot be used"),
        owned(tmp_path / "file" / "penstock.db"),
    ):
        pass


def test_the_lock_is_not_inherited_by_started_programs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]
    with owned(tmp_path / "penstock.db"):
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, close_fds=False
        )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        with owned(tmp_path / "penstock.db"):
            child.communicate()
