"""Access tokens: only digests are stored, so that readers of the database cannot use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, inspect, or_, select, update

from penstock.access.scopes import Scope, Token, digest_of, new_token
from penstock.access.tables import api_token
from penstock.columns import DatabaseNow
from penstock.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Row

    from penstock.store.session.database import Database

# Every process keeps all valid tokens in memory.
MOST_TOKENS = 1_000

_WORKS = (
    api_token.c.revoked_at.is_(None),
    or_(api_token.c.expires_at.is_(None), api_token.c.expires_at > DatabaseNow()),
)
_KNOWN = (
    "id",
    "name",
    "scope",
    "created_at",
    "expires_at",
    "last_used_at",
    "revoked_at",
)
_COLUMNS = [api_token.c[name] for name in _KNOWN]


class SqlTokens:
    """The tokens of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, name: str, scope: Scope, *, expires_in_s: int | None
    ) -> tuple[Token, str]:
        """A new token and its text, which is never shown again; ConflictError at the limit."""
        text = new_token()
        expires_at = None if expires_in_s is None else DatabaseNow(ago_ms=-1000 * expires_in_s)
        row = {
            "name": name,
            "digest": digest_of(text),
            "scope": scope.value,
            "created_at": DatabaseNow(),
            "expires_at": expires_at,
        }

        def create(connection: Connection) -> Token:
            valid = select(func.count()).select_from(api_token).where(*_WORKS)
            if connection.execute(valid).scalar_one() >= MOST_TOKENS:
                raise ConflictError(
                    f"there are {MOST_TOKENS:,} valid tokens already; revoke some that are not used"
                )
            made = insert(api_token).values(row).returning(*_COLUMNS)
            return _token(connection.execute(made).one())

        return await self._database.write(create), text

    async def listed(self) -> list[Token]:
        """The newest tokens, also those that no longer work."""
        newest = select(*_COLUMNS).order_by(api_token.c.id.desc()).limit(MOST_TOKENS)
        return await self._database.read(
            lambda connection: [_token(row) for row in connection.execute(newest)]
        )

    async def revoke(self, token_id: int) -> None:
        """Revoke a token; NotFoundError for an unknown one."""
        first_time = func.coalesce(api_token.c.revoked_at, DatabaseNow())
        revoke = update(api_token).where(api_token.c.id == token_id).values(revoked_at=first_time)
        found = await self._database.write(lambda connection: connection.execute(revoke).rowcount)
        if not found:
            raise NotFoundError(f"there is no token {token_id}; `penstock token list` shows them")

    async def working(self) -> Mapping[str, Token] | None:
        """The valid tokens by digest; None if none was ever made, unlike an empty result."""
        return await self._database.look(working)

    async def used(self, token_ids: Iterable[int]) -> None:
        """Note that these tokens were used just now."""
        noted = (
            update(api_token)
            .where(api_token.c.id.in_(list(token_ids)))
            .values(last_used_at=DatabaseNow())
        )
        await self._database.write(lambda connection: connection.execute(noted))


def working(connection: Connection) -> dict[str, Token] | None:
    """The valid tokens by digest; None if none was ever made."""
    rows = connection.execute(
        select(api_token.c.digest, *_COLUMNS).where(*_WORKS).limit(MOST_TOKENS)
    ).all()
    if not rows and connection.scalar(select(api_token.c.id).limit(1)) is None:
        return None
    return {row.digest: _token(row) for row in rows}


def any_works(connection: Connection) -> bool:
    """Whether a token is valid, also if there is no table of them yet."""
    return inspect(connection).has_table(api_token.name) and bool(working(connection))


def _token(row: Row[Any]) -> Token:
    fields: dict[str, Any] = {name: getattr(row, name) for name in _KNOWN}
    return Token(**fields | {"scope": Scope(row.scope)})
