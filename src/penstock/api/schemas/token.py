"""A token as the API and the commands show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from penstock.access.scopes import Scope
from penstock.moment import iso, iso_or_none

if TYPE_CHECKING:
    from penstock.access.scopes import Token


class TokenShown(BaseModel):
    """A token without its text. `last_used_at` is written once a minute."""

    id: int
    name: str
    scope: Scope
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


def token_fields(token: Token) -> dict[str, Any]:
    """The fields of a TokenShown, JSON values only."""
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope.value,
        "created_at": iso(token.created_at),
        "expires_at": iso_or_none(token.expires_at),
        "last_used_at": iso_or_none(token.last_used_at),
        "revoked_at": iso_or_none(token.revoked_at),
    }
