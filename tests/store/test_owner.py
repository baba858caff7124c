"""One process owns a SQLite file by the operating system's lock, tested with real processes."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from penstock.errors import ConflictError, StoreUnavailableError
from penstock.store.owner import owned, owner_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def test_a_file_is_still_owned_after_its_lock_file_was_removed(tmp_path: Path) -> None:
    with owning_process(tmp_path / "penstock.db"):
        (tmp_path / "penstock.db.lock").unlink()
        for _ in range(2):
            with (
                pytest.raises(ConflictError, match="in use by another process; stop"),
                owned(tmp_path / "penstock.db"),
            ):
                pass
    with owned(tmp_path / "penstock.db"):
        pass


def test_a_file_that_was_moved_is_still_owned_under_its_new_name(tmp_path: Path) -> None:
    with owning_process(tmp_path / "penstock.db"):
        (tmp_path / "penstock.db").rename(tmp_path / "moved.db")
        with pytest.raises(ConflictError), owned(tmp_path / "moved.db"):
            pass


def test_a_file_with_a_second_name_is_refused_under_both(tmp_path: Path) -> None:
    database, other = tmp_path / "penstock.db", tmp_path / "folder" / "other.db"
    other.parent.mkdir()
    with owned(database):
        pass
    other.hardlink_to(database)
    for name in (database, other):
        with pytest.raises(StoreUnavailableError, match="a hard link"), owned(name):
            pass
    other.unlink()
    with owned(database):
        pass


def test_a_refused_owner_in_the_same_process_leaves_the_locks_of_sqlite(tmp_path: Path) -> None:
    """Closing a file drops the process's POSIX locks on it, and SQLite has no others."""
    database = tmp_path / "penstock.db"
    locking = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0).execute('BEGIN IMMEDIATE')"
    other = [sys.executable, "-c", locking, str(database)]
    with owned(database), contextlib.closing(sqlite3.connect(database)) as writer:
        # A rollback journal keeps its locks on the database file.
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConflictError), owned(database):
            pass
        refused = subprocess.run(other, capture_output=True, text=True, check=False)
        assert "database is locked" in refused.stderr
        writer.rollback()
        subprocess.run(other, check=True)


def test_two_files_in_one_folder_have_an_owner_each(tmp_path: Path) -> None:
    with owning_process(tmp_path / "one.db"), owned(tmp_path / "two.db"):
        pass


def test_the_folder_is_made_when_it_is_missing(tmp_path: Path) -> None:
    with owned(tmp_path / "new" / "folder" / "penstock.db"):
        assert (tmp_path / "new" / "folder").is_dir()


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_only_our_user_can_read_what_is_made(tmp_path: Path, umask: int) -> None:
    database, before = tmp_path / "new" / "folder" / "penstock.db", os.umask(umask)
    try:
        with owned(database), contextlib.closing(sqlite3.connect(database)) as writer:
            writer.executescript("PRAGMA journal_mode = WAL; CREATE TABLE one (two)")
            made = {path.name: _mode(path) for path in (tmp_path / "new").rglob("*")}
    finally:
        os.umask(before)
    files = {f"penstock.db{end}" for end in ("", "-wal", "-shm", ".lock")}
    assert made == {"folder": 0o700, **dict.fromkeys(files, 0o600)}
    assert _mode(tmp_path / "new") == 0o700


def test_the_mode_of_an_existing_file_stays(tmp_path: Path) -> None:
    database = tmp_path / "penstock.db"
    database.touch()
    database.chmod(0o640)
    with owned(database):
        assert _mode(database) == 0o640


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _below_a_file(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "penstock.db"


def _folder(folder: Path) -> Path:
    (folder / "penstock.db").mkdir()
    return folder / "penstock.db"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "penstock.db")
    return folder / "penstock.db"


def _device(_folder: Path) -> Path:
    return Path(os.devnull)


def _broken_link(folder: Path) -> Path:
    (folder / "penstock.db").symlink_to(folder / "away" / "penstock.db")
    return folder / "penstock.db"


def _in_a_broken_link(folder: Path) -> Path:
    (folder / "data").symlink_to(folder / "away")
    return folder / "data" / "penstock.db"


def _circle(folder: Path) -> Path:
    (folder / "penstock.db").symlink_to(folder / "penstock.db")
    return folder / "penstock.db"


def _lock_is_a_folder(folder: Path) -> Path:
    (folder / "penstock.db.lock").mkdir()
    return folder / "penstock.db"


UNUSABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "below a file": (_below_a_file, "Not a directory"),
    "a folder": (_folder, "it is a folder; name another file"),
    "a pipe": (_pipe, "it is not an ordinary file; name another file"),
    "a device": (_device, "it is not an ordinary file; name another file"),
    "a broken link": (_broken_link, "which does not exist; make that, or remove the link"),
    "a broken link to a folder": (_in_a_broken_link, "which does not exist; make that, or"),
    "a circle of links": (_circle, "Too many levels of symbolic links"),
    "a folder in place of the lock": (_lock_is_a_folder, "Is a directory"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_cannot_be_used_is_named_and_left_as_it_is(tmp_path: Path, case: str) -> None:
    make, why = UNUSABLE[case]
    database = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with (
        pytest.raises(StoreUnavailableError, match=rf"{database} cannot be used: .*{why}"),
        owned(database),
    ):
        pass
    assert sorted(tmp_path.rglob("*")) == before
    assert owner_url(database) is None


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
