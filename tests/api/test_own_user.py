"""An open service lets in processes of the user that runs it, and nobody else."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import threading
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import pytest

from penstock.access.own_token import read_token, write_token
from penstock.access.scopes import Scope
from penstock.api.guard import peer
from penstock.cli.client import Request
from penstock.cli.http import service_at
from tests.api.collector import PATIENCE_S, collector
from tests.api.guarded import REFRESH, TOKENS, WS, made_token, status_of

if TYPE_CHECKING:
    from pathlib import Path


async def test_other_users_of_this_machine_need_a_token(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = os.geteuid()
    with monkeypatch.context() as patch:
        patch.setattr("os.geteuid", lambda: ours + 1)
        made = collector(sqlite_database, work=False)
        service = await made.__aenter__()
    try:
        assert await status_of(service) == await status_of(service, REFRESH, "POST") == 401
        assert await status_of(service, "/livez") == 200
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await service.session.ws_connect(WS)
    finally:
        await made.__aexit__(None, None, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
@pytest.mark.parametrize("way", ["_asked", "_read"])
async def test_a_process_of_another_user_is_let_in_only_with_a_token(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    other = {"_asked": "_read", "_read": "_asked"}[way]
    monkeypatch.setattr(peer, other, lambda *_: None)
    asking = (
        "import os, socket, sys\nos.setuid(int(sys.argv[1]))\n"
        "with socket.socket() as made:\n"
        "    made.connect(('127.0.0.1', int(sys.argv[2])))\n"
        "    made.send(b'GET /api/v1/series HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n')\n"
        "    print(made.recv(12).decode()[9:])\n"
    )
    async with collector(sqlite_database, work=False) as service:
        for user, status in ((0, b"200\n"), (65_534, b"401\n")):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-c",
                asking,
                str(user),
                str(urlsplit(service.url).port),
                stdout=PIPE,
            )
            out, _ = await process.communicate()
            assert out == status


async def test_the_first_token_shuts_out_who_is_being_looked_up(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, made = threading.Event(), threading.Event()

    def user_of(*_: peer.End) -> int:
        asked.set()
        assert made.wait(PATIENCE_S)
        return os.geteuid()

    async with collector(sqlite_database, work=False) as service:
        monkeypatch.setattr(peer, "user_of", user_of)
        asking = asyncio.create_task(status_of(service, REFRESH, "POST"))
        assert await asyncio.to_thread(asked.wait, PATIENCE_S)
        _, header = await made_token(service, Scope.READ)
        assert await status_of(service, headers=header) == 200
        made.set()
        assert await asking == 401


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_ways_tell_whose_a_connection_is_until_it_is_closed(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.create_server((address, 0), family=family) as server,
        socket.create_connection((address, server.getsockname()[1])) as client,
    ):
        ends = peer.End(*client.getsockname()[:2]), peer.End(*client.getpeername()[:2])
        listening = ends[1], ends[0]
        for way in (peer._asked, peer._read):
            assert way(*ends) == os.geteuid()
            assert way(*listening) is None
        client.shutdown(socket.SHUT_WR)
        assert peer._asked(*ends) == peer._read(*ends) == os.geteuid()
        client.close()
        assert peer._asked(*ends) is peer._read(*ends) is None


def test_a_token_for_this_users_commands_is_sent_to_no_other_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "new" / "state"))
    before = os.umask(0)
    try:
        token = write_token("http://127.0.0.1:8000")
    finally:
        os.umask(before)
    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    folders = dict.fromkeys(("new", "state", "penstock"), 0o700)
    assert made == {**folders, "8000.token": 0o600}
    assert read_token("http://localhost:8000") == read_token("http://[::1]:8000") == token
    for url in ("http://penstock.example:8000", "http://127.0.0.1:8001", "http://127.0.0.1.x:8000"):
        assert read_token(url) is None


async def test_where_users_cannot_be_told_a_file_lets_this_users_commands_in(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(peer, "user_of", lambda *_: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with collector(sqlite_database, work=False) as service:
        (file,) = (tmp_path / "penstock").iterdir()
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert await status_of(service) == 401
        async with service_at(service.url, service.app.settings) as commands:
            listed = Request(method="GET", path=TOKENS)
            assert (await commands.send(listed)).status == 200
            await made_token(service, Scope.READ)
            await service.until(lambda: commands.send(listed), lambda answer: answer.status == 401)
    assert not file.exists()
