"""A token as the API and the commands show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from penstock.access.scopes import Scope
from penstock.api.schemas.shape import Moment, Shape

if TYPE_CHECKING:
    from penstock.access.scopes import Token


class TokenShown(Shape):
    """A token without its text. `last_used_at` is updated once a minute."""

    id: int
    name: str
    scope: Scope
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None
    revoked_at: Moment | None

    @classmethod
    def of(cls, token: Token) -> Self:
        """The shape of a token."""
        return cls(**cls.fields_of(token))


class TokenMade(TokenShown):
    """A new token with its text, which is shown here and never again."""

    token: str

    @classmethod
    def of_new(cls, token: Token, text: str) -> Self:
        """The shape of a new token."""
        return cls(**cls.fields_of(token, token=text))
