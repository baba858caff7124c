"""Signing in to the dashboard: a token is exchanged for a cookie that scripts cannot read."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from penstock.api.guard import CALLER_SCOPE
from penstock.api.guard.head import RequestHead
from penstock.api.routes.parts import KnownDep
from penstock.api.schemas.problem import documented
from penstock.api.schemas.session import Session

router = APIRouter(prefix="/api/v1/session", tags=["access"])

# The token may end earlier.
_MONTH_S = 30 * 86_400


@router.get("", responses=documented(503))
async def get_session(request: Request, known: KnownDep) -> Session:
    """What the caller may do.

    A cookie that no longer works stays: a late answer would delete that of the next sign-in.
    """
    head = RequestHead(request.scope)
    signed_in = head.is_of_page and await known.caller(head) is not None
    return Session(scope=request.scope.get(CALLER_SCOPE), signed_in=signed_in)


@router.post("", responses=documented(503))
async def sign_in(request: Request, response: Response, known: KnownDep) -> Session:
    """Keep the token of the Authorization header in a cookie, for pages of this service alone."""
    head = RequestHead(request.scope)
    if head.credential:
        response.set_cookie(
            head.cookie_name,
            # The token of the settings may have signs that a cookie cannot have.
            quote(known.kept(head.credential), safe=""),
            max_age=_MONTH_S,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
    return Session(scope=request.scope[CALLER_SCOPE], signed_in=bool(head.credential))


@router.delete("", status_code=204, responses=documented(503))
async def sign_out(request: Request, response: Response) -> None:
    """Delete the cookie; its token goes on working elsewhere."""
    name = RequestHead(request.scope).cookie_name
    response.delete_cookie(name, httponly=True, samesite="strict")
