"""Access tokens, for those who may do everything."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from penstock.access.scopes import Scope
from penstock.api.routes.parts import KnownDep, TokensDep
from penstock.api.schemas.input import Id, Input, Name
from penstock.api.schemas.problem import documented
from penstock.api.schemas.token import TokenMade, TokenShown

router = APIRouter(prefix="/api/v1/admin/tokens", tags=["access"])

_TEN_YEARS_S = 3_653 * 86_400


class NewToken(Input):
    """The token to create; without `expires_in_s` it works until it is revoked."""

    name: Annotated[Name, Field(min_length=1, description="who or what uses it")]
    scope: Scope
    expires_in_s: int | None = Field(None, ge=1, le=_TEN_YEARS_S)


@router.post("", status_code=201, responses=documented(409, 422, 503))
async def create_token(tokens: TokensDep, known: KnownDep, new: NewToken) -> TokenMade:
    """Create a token; its text is shown here and never again.

    Once there is a token, every request needs one.
    """
    token, text = await tokens.create(new.name, new.scope, expires_in_s=new.expires_in_s)
    await known.refresh()
    return TokenMade.of_new(token, text)


@router.get("", responses=documented(503))
async def list_tokens(tokens: TokensDep) -> list[TokenShown]:
    """The newest 1,000 tokens, also those that were revoked or have expired."""
    return [TokenShown.of(token) for token in await tokens.listed()]


@router.delete("/{token_id}", status_code=204, responses=documented(404, 422, 503))
async def revoke_token(tokens: TokensDep, known: KnownDep, token_id: Id) -> None:
    """Revoke a token: at once here, within seconds in other processes and on open WebSockets."""
    await tokens.revoke(token_id)
    await known.refresh()
