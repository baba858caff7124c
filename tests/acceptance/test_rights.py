"""What the program makes only its user can read, whatever the umask; the rest it leaves."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.commands import put_faults
from tests.acceptance.masked import masked, mode
from tests.acceptance.seller import TOKEN, a_seller
from tests.seller_builders import EXPORT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.commands import Penstock

_PATIENCE_S = 60


def _modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): mode(path) for path in folder.rglob("*")}


@pytest.mark.parametrize("umask", [0o022, 0o000], ids=oct)
async def test_all_files_of_a_service_belong_to_its_user_alone(
    penstock: Penstock, umask: int
) -> None:
    data = penstock.data
    async with a_seller(penstock, f"sqlite:///{data / 'penstock.db'}") as seller:
        given = dict(seller.penstock.environment)
        # The key file is made too.
        del given["PENSTOCK_SECRET_KEY"]
        ours = masked(type(penstock)(penstock.folder, given), umask)
        added = await ours.with_settings(cardtrader_token=TOKEN)("accounts", "add", "shop")
        assert added.code == 0, added.err
        await put_faults(seller.url, {"name": "gate", "path": EXPORT, "at": 60_000})
        async with ours.serving() as service:
            await service.start(limit=10)
            async with service.session.post("/api/v1/inventory/accounts/1/sync") as answer:
                assert answer.status == 202
            async with asyncio.timeout(_PATIENCE_S):
                while not list(data.glob("exports/*.part")):
                    await asyncio.sleep(0.05)
            during = _modes(penstock.folder)
            await service.command.ended(signal.SIGTERM)
    after = _modes(penstock.folder)
    made = {path.rpartition("/")[2].partition(".stage")[0] for path in during}
    ends = ("", "-wal", "-shm", ".lock", ".key")
    assert {"data", "penstock", "exports", *(f"penstock.db{end}" for end in ends)} <= made
    assert any(".stage-" in path for path in during)
    for found in (during, after):
        assert {path: oct(bits) for path, bits in found.items() if bits & 0o077} == {}


@pytest.mark.parametrize(("bits", "said"), [(0o644, True), (0o600, False)])
async def test_the_doctor_names_a_file_that_others_may_read(
    penstock: Penstock, sqlite_database: str, tmp_path: Path, bits: int, *, said: bool
) -> None:
    file = tmp_path / "penstock.db"
    file.chmod(bits)
    report = await penstock.with_settings(database_url=sqlite_database)("doctor")
    assert report.code == 0, report.out
    advice = f"other users may read or write it, to keep them out: chmod 600 {file}"
    assert (advice in " ".join(report.out.split())) is said
    assert mode(file) == bits
