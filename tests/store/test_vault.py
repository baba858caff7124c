"""Secrets at rest: sealed with a key that is stored elsewhere and can be changed at any time."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from penstock.access.vault import Vault, new_key
from penstock.alerts.tables import alert_target
from penstock.columns import DatabaseNow, metadata
from penstock.errors import SecretKeyError
from penstock.keys import check_secrets, vault_keys
from penstock.settings import load_settings
from penstock.store.keys import GivenKeys, KeyFile
from penstock.store.write.rotation import SEALED, rotate_key
from tests.market_builders import opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from penstock.store.session.database import Database

_SEAL = """
import sys
from pathlib import Path
from penstock.access.vault import Vault
from penstock.store.keys import KeyFile
vault = Vault(KeyFile(Path(sys.argv[1]), ours=True))
sys.stdin.readline()
print(vault.seal("hidden"))
"""


def _file(folder: Path) -> KeyFile:
    return KeyFile(folder / "penstock.db.key", ours=True)


def test_a_sealed_secret_can_be_opened_but_not_read(tmp_path: Path) -> None:
    sealed = Vault(_file(tmp_path)).seal("https://hooks.example/päth")
    assert "hooks" not in sealed
    assert Vault(_file(tmp_path)).open(sealed) == "https://hooks.example/päth"
    assert Vault(_file(tmp_path)).seal("https://hooks.example/päth") != sealed


def test_the_key_file_is_created_on_first_use_and_readable_only_by_its_owner(
    tmp_path: Path,
) -> None:
    keys = _file(tmp_path)
    assert keys.found() == []
    assert list(tmp_path.iterdir()) == []
    Vault(keys).seal("hidden")
    [made] = tmp_path.iterdir()
    assert (made, made.stat().st_mode & 0o777) == (keys.file, 0o600)


def test_processes_that_need_a_key_at_the_same_time_create_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SEAL, str(_file(tmp_path).file)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("now\n")
        process.stdin.flush()
    sealed = [process.communicate()[0].strip() for process in processes]
    vault = Vault(_file(tmp_path))
    assert [vault.open(secret) for secret in sealed] == ["hidden"] * 4
    assert len(list(tmp_path.iterdir())) == 1


def test_a_wrong_key_is_reported_in_one_sentence() -> None:
    sealed = Vault(GivenKeys(new_key())).seal("hidden")
    for other in (new_key(), None):
        with pytest.raises(SecretKeyError, match="encrypted with another key; set that key"):
            Vault(GivenKeys(other)).open(sealed)


@pytest.mark.parametrize(
    "wrong",
    [
        "short",
        "é" * 44,
        "A" * 100,
        pytest.param(new_key() + ",short", id="a good one and a short one"),
    ],
)
def test_an_invalid_key_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(
        SecretKeyError, match="PENSTOCK_SECRET_KEY: a key is 32 random bytes"
    ) as refused:
        Vault(GivenKeys(wrong)).seal("hidden")
    assert wrong not in str(refused.value)


def test_on_postgresql_without_a_key_storing_a_secret_is_refused_with_a_hint() -> None:
    vault = Vault(vault_keys(load_settings(database_url="postgresql://me@db/name")))
    with pytest.raises(SecretKeyError, match="set PENSTOCK_SECRET_KEY, the same in all processes"):
        vault.seal("hidden")


def test_a_key_can_come_from_a_read_only_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    vault = Vault(vault_keys(load_settings(secret_key_file=file)))
    with pytest.raises(
        SecretKeyError, match="No such file or directory; PENSTOCK_SECRET_KEY_FILE names it"
    ):
        vault.seal("hidden")
    assert not file.exists()
    file.write_text(new_key())
    assert vault.open(vault.seal("hidden")) == "hidden"


def test_an_unreadable_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "penstock.db.key").mkdir()
    with pytest.raises(
        SecretKeyError, match=r"the key file .*penstock\.db\.key cannot be read: Is a directory"
    ):
        _file(tmp_path).found()


def test_a_broken_link_in_place_of_the_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "penstock.db.key").symlink_to(tmp_path / "away")
    with pytest.raises(
        SecretKeyError, match=r"penstock\.db\.key is a link to a file that does not exist; remove"
    ):
        Vault(_file(tmp_path)).seal("hidden")
    assert [path.name for path in tmp_path.iterdir()] == ["penstock.db.key"]


def test_every_sealed_column_is_rotated() -> None:
    """A new sealed column must be listed in `SEALED`, or a rotation loses its secrets."""
    kinds = {"signing_key", "secret", "sealed"}
    found = {
        column for table in metadata.tables.values() for column in table.c if column.name in kinds
    }
    assert found <= set(SEALED)


async def _store(database: Database, vault: Vault) -> None:
    def put(connection: Connection) -> None:
        for name, key in (("one", "k1"), ("two", None)):
            url = f"https://{name}.example"
            row = {
                "name": name,
                "kind": "webhook",
                "url": vault.seal(url),
                "shown": url,
                "signing_key": key and vault.seal(key),
            }
            connection.execute(insert(alert_target).values(**row, created_at=DatabaseNow()))

    await database.write(put)


async def _secrets(database: Database, vault: Vault) -> list[tuple[str, str | None]]:
    query = select(alert_target.c.url, alert_target.c.signing_key).order_by(alert_target.c.id)
    rows = await database.read(lambda connection: connection.execute(query).all())
    return [(vault.open(url), key and vault.open(key)) for url, key in rows]


_STORED = [("https://one.example", "k1"), ("https://two.example", None)]


async def test_a_rotation_creates_a_new_key_and_the_old_one_opens_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async with opened(database_url) as store:
        keys = _file(tmp_path)
        await _store(store.database, Vault(keys))
        [old] = keys.found()
        assert await rotate_key(store.database, keys) == 3
        [new] = keys.found()
        assert new != old
        assert await _secrets(store.database, Vault(keys)) == _STORED
        with pytest.raises(SecretKeyError):
            await _secrets(store.database, Vault(GivenKeys(old)))
        assert keys.file.stat().st_mode & 0o777 == 0o600


async def test_a_rotation_uses_the_first_of_the_given_keys(database_url: str) -> None:
    async with opened(database_url) as store:
        old, new = new_key(), new_key()
        await _store(store.database, Vault(GivenKeys(old)))
        assert await rotate_key(store.database, GivenKeys(f"{new},{old}")) == 3
        assert await _secrets(store.database, Vault(GivenKeys(new))) == _STORED


@pytest.mark.parametrize("at", ["transaction", "last file"])
async def test_an_interrupted_rotation_loses_nothing_and_can_be_repeated(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    async with opened(database_url) as store:
        keys = _file(tmp_path)
        await _store(store.database, Vault(keys))
        monkeypatch.setattr(*_interrupted(at))
        with pytest.raises(KeyboardInterrupt):
            await rotate_key(store.database, keys)
        monkeypatch.undo()
        assert await _secrets(store.database, Vault(keys)) == _STORED
        assert await rotate_key(store.database, keys) == 3
        assert len(keys.found()) == 1
        assert await _secrets(store.database, Vault(keys)) == _STORED


def _interrupted(at: str) -> tuple[object, str, object]:
    """Interrupt when some or all secrets are sealed again, with the old key still in the file."""
    whole: Callable[..., object] = Vault.seal if at == "transaction" else KeyFile.replace
    calls = iter(range(9))

    def interrupted(*given: object) -> object:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return whole(*given)

    return (
        (Vault, "seal", interrupted) if at == "transaction" else (KeyFile, "replace", interrupted)
    )


async def test_the_doctor_reports_a_wrong_key(tmp_path: Path) -> None:
    # Nothing is stored yet.
    url = f"sqlite:///{tmp_path / 'penstock.db'}"
    settings = load_settings(database_url=url)
    assert await check_secrets(settings) == "none stored yet"
    async with opened(url) as store:
        await _store(store.database, Vault(vault_keys(settings)))
    assert await check_secrets(settings) == "3 stored, all can be decrypted"
    with pytest.raises(SecretKeyError, match="encrypted with another key"):
        await check_secrets(load_settings(database_url=url, secret_key=new_key()))
