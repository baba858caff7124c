"""A database that cannot be used where it is: one sentence, and nothing is changed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.masked import masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.commands import Penstock

_WRITING = ("collect BTC/USDT -t 1m --limit 5", "serve --port 0", "migrate", "rotate-key")
_READING = ("candles BTC/USDT -t 1m", "series")
_COMMANDS = (*_WRITING, *_READING, "doctor")
_RIGHTS = "SQLite makes files beside it, so this user has to be able to write to its folder too"


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _broken_link(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.with_name("away"))


def _linked_twice(file: Path) -> None:
    file.with_name("second.db").hardlink_to(file)


def _unreadable(file: Path) -> None:
    file.chmod(0o000)


def _hidden(file: Path) -> None:
    file.parent.chmod(0o000)


def _no_database(file: Path) -> None:
    file.write_text("a letter, and not a short one\n" * 100, "ascii")


def _damaged(file: Path) -> None:
    size = file.stat().st_size
    with file.open("r+b") as opened:
        # The first page, with the header, stays.
        opened.seek(4_096)
        opened.write(b"\xff" * (size - 4_096))


_PLACES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a folder": (_folder, "cannot be used: it is a folder"),
    "a pipe": (_pipe, "cannot be used: it is not an ordinary file"),
    "a broken link": (_broken_link, "cannot be used: it is a link to"),
    "a file with two names": (_linked_twice, "cannot be used: it has a second name"),
    "an unreadable file": (_unreadable, rf"Permission denied|{_RIGHTS}"),
    "an unreadable folder": (_hidden, "cannot be used: Permission denied"),
    "no database": (_no_database, "file is not a database; name a file that Penstock made"),
    "a damaged file": (_damaged, "malformed.*; stop all processes that use it and restore"),
}


@pytest.fixture
def file(tmp_path: Path, sqlite_database: str) -> Path:
    """A database in a folder of its own."""
    file = tmp_path / "own" / "penstock.db"
    file.parent.mkdir()
    return Path(sqlite_database.removeprefix("sqlite:///")).rename(file)


@pytest.mark.parametrize("place", _PLACES)
async def test_each_command_says_in_a_sentence_what_is_wrong_with_the_place(
    penstock: Penstock, file: Path, place: str
) -> None:
    harm, expected = _PLACES[place]
    harm(file)
    ours = masked(penstock.with_settings(database_url=f"sqlite:///{file}"))
    try:
        # One after the other: each of them owns the file for a moment.
        *ended, report = [await ours(*words.split()) for words in _COMMANDS]
    finally:
        file.parent.chmod(0o700)
    for command, one in zip(_COMMANDS, ended, strict=False):
        assert one.code == 4, (command, one)
        assert re.search(expected, one.complaint), (command, one)
        assert str(file) in one.complaint, command
    assert report.code == 1
    assert re.search(rf"FAIL database: .*{expected}", " ".join(report.out.split())), report.out


async def test_a_folder_that_cannot_be_written_is_named(penstock: Penstock, file: Path) -> None:
    ours = masked(penstock.with_settings(database_url=f"sqlite:///{file}"))
    file.parent.chmod(0o500)
    try:
        for command in _WRITING:
            one = await ours(*command.split())
            assert (one.code, "Permission denied" in one.complaint) == (4, True), command
        # What is stored is read where SQLite can; else the sentence names the rights.
        reading = await ours("series")
        assert reading.code == 0 or (reading.code, _RIGHTS in reading.complaint) == (4, True)
        new = ours.with_settings(database_url=f"sqlite:///{file.parent}/new/penstock.db")
        assert "Permission denied" in (await new("collect", "BTC/USDT", "-t", "1m")).complaint
    finally:
        file.parent.chmod(0o700)


async def test_the_doctor_finds_damage_that_no_first_look_shows(
    penstock: Penstock, file: Path
) -> None:
    penstock = penstock.with_settings(database_url=f"sqlite:///{file}")
    assert (await penstock("collect", "BTC/USDT", "-t", "1m", "--limit", "3000")).code == 0
    assert "; no damage found" in " ".join((await penstock("doctor")).out.split())
    [(root,)] = await penstock.rows("SELECT rootpage FROM sqlite_schema WHERE name = 'candle'")
    [(size,)] = await penstock.rows("PRAGMA page_size")
    with file.open("r+b") as opened:
        opened.seek((root - 1) * size)
        opened.write(b"\xff" * size)
    report = await penstock("doctor")
    said = " ".join(report.out.split())
    assert report.code == 1
    assert re.search(rf"FAIL database: the database file {file} (is damaged|cannot be used)", said)
    assert f"restore a backup, or save what can be read: sqlite3 {file} .recover" in said
    reading = await penstock("candles", "BTC/USDT", "-t", "1m")
    assert (reading.code, "restore a backup" in reading.complaint) == (4, True)
