"""What a page may do, as the API shows it."""

from __future__ import annotations

from penstock.access.scopes import Scope
from penstock.api.schemas.shape import Shape


class Session(Shape):
    """`scope` is what its caller may do, null for one who has to sign in.

    `signed_in`: by a cookie, which signing out deletes.
    """

    scope: Scope | None
    signed_in: bool
