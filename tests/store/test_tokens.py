"""Access tokens in both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update

from penstock.access.scopes import Scope, digest_of
from penstock.access.tables import api_token
from penstock.columns import DatabaseNow
from penstock.errors import ConflictError, NotFoundError
from penstock.store.write import tokens as module
from penstock.store.write.tokens import SqlTokens
from tests.market_builders import opened

_YEAR_S = 366 * 86_400


async def test_a_token_works_from_its_creation_to_its_revocation(database_url: str) -> None:
    async with opened(database_url) as store:
        tokens = SqlTokens(store.database)
        assert await tokens.working() is None
        made, secret = await tokens.create("bot", Scope.OPERATE, expires_in_s=_YEAR_S)
        assert made.expires_at == pytest.approx(made.created_at + _YEAR_S * 1000, abs=5_000)
        assert await tokens.working() == {digest_of(secret): made}
        await tokens.revoke(made.id)
        # Not None: once a token was created, requests always need one.
        assert await tokens.working() == {}
        [listed] = await tokens.listed()
        assert listed.revoked_at is not None


async def test_revoking_twice_keeps_the_first_time(database_url: str) -> None:
    async with opened(database_url) as store:
        tokens = SqlTokens(store.database)
        made, _ = await tokens.create("bot", Scope.READ, expires_in_s=None)
        await tokens.revoke(made.id)
        await store.database.write(
            lambda connection: connection.execute(update(api_token).values(revoked_at=1_000))
        )
        await tokens.revoke(made.id)
        assert [token.revoked_at for token in await tokens.listed()] == [1_000]
        with pytest.raises(NotFoundError, match="there is no token 999"):
            await tokens.revoke(999)


async def test_an_expired_token_does_not_work(database_url: str) -> None:
    async with opened(database_url) as store:
        tokens = SqlTokens(store.database)
        await tokens.create("bot", Scope.READ, expires_in_s=60)
        await store.database.write(
            lambda connection: connection.execute(
                update(api_token).values(expires_at=DatabaseNow(ago_ms=1))
            )
        )
        assert await tokens.working() == {}


async def test_the_database_holds_no_usable_token(database_url: str) -> None:
    async with opened(database_url) as store:
        _, secret = await SqlTokens(store.database).create("bot", Scope.ADMIN, expires_in_s=None)
        rows = await store.database.read(
            lambda connection: connection.execute(text("SELECT * FROM api_token")).all()
        )
        assert secret[4:] not in str(rows)


async def test_the_number_of_working_tokens_is_bounded(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_TOKENS", 2)
    async with opened(database_url) as store:
        tokens = SqlTokens(store.database)
        first, _ = await tokens.create("one", Scope.READ, expires_in_s=None)
        await tokens.create("two", Scope.READ, expires_in_s=None)
        with pytest.raises(ConflictError, match="revoke some"):
            await tokens.create("three", Scope.READ, expires_in_s=None)
        await tokens.revoke(first.id)
        await tokens.create("three", Scope.READ, expires_in_s=None)


async def test_the_last_use_of_a_token_is_stored(database_url: str) -> None:
    async with opened(database_url) as store:
        tokens = SqlTokens(store.database)
        made, _ = await tokens.create("bot", Scope.READ, expires_in_s=None)
        await tokens.create("idle", Scope.READ, expires_in_s=None)
        await tokens.used([made.id])
        assert [token.name for token in await tokens.listed() if token.last_used_at] == ["bot"]
