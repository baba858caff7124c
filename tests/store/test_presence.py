"""A database file that is removed or replaced while it is open: nothing more is written to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.errors import StoreUnavailableError
from tests.market_builders import MINUTE, ORIGIN, candles, opened, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _remove(file: Path) -> None:
    file.unlink()


def _replace(file: Path) -> None:
    file.rename(file.with_name("kept"))
    file.write_bytes(file.with_name("kept").read_bytes())


@pytest.mark.parametrize("harm", [_remove, _replace])
@pytest.mark.parametrize("name", ["penstock.db", "penstock.db-wal"])
async def test_nothing_is_read_or_written_until_the_file_is_back(
    sqlite_database: str, tmp_path: Path, harm: Callable[[Path], None], name: str
) -> None:
    async with opened(sqlite_database) as store:
        target, run = await store.target(), await store.run()
        await store.write(run, page(target, candles(ORIGIN, 5)))
        file, kept = tmp_path / name, tmp_path / "safe"
        kept.hardlink_to(file)
        harm(file)
        said = rf"{name} was removed or replaced while this process uses it; put it back"
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match=said):
                await store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5)))
            with pytest.raises(StoreUnavailableError, match=said):
                await store.value("SELECT count(*) AS n FROM candle")
        kept.replace(file)
        assert await store.value("SELECT count(*) AS n FROM candle") == 5
        assert (await store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5)))).inserted == 5


async def test_a_removal_during_a_transaction_rolls_it_back(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with opened(sqlite_database) as store:
        run = await store.run()
        file = tmp_path / "penstock.db"
        with pytest.raises(StoreUnavailableError, match="was removed or replaced"):
            await store.database.write(lambda _: file.rename(tmp_path / "moved"))
        (tmp_path / "moved").rename(file)
        assert await store.value("SELECT count(*) AS n FROM run") == 1
        await store.ledger.is_to_stop(run)


async def test_a_removed_file_is_not_made_again(sqlite_database: str, tmp_path: Path) -> None:
    async with opened(sqlite_database) as store:
        await store.run()
        (tmp_path / "penstock.db").unlink()
        # New connections, as a pool makes them.
        store.database.backend.reader.dispose()
        with pytest.raises(StoreUnavailableError, match="was removed or replaced"):
            await store.value("SELECT 1 AS n")
        assert not (tmp_path / "penstock.db").exists()


async def test_a_file_begun_beside_the_log_of_a_removed_one_is_usable(
    tmp_path: Path,
) -> None:
    (tmp_path / "penstock.db-wal").write_bytes(b"left")
    async with opened(f"sqlite:///{tmp_path / 'penstock.db'}") as store:
        await store.run()
        assert await store.value("SELECT count(*) AS n FROM run") == 1
