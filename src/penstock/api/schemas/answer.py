"""Answers of shapes that are made unchecked.

Long pages are made in the thread that reads the database: the loop would stand still too long.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Response

from penstock.api.schemas.shape import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.api.schemas.shape import Shape


def answer(
    shape: Shape | Sequence[Shape],
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer that a shape is, encoded already."""
    return Response(encoded(shape), status, headers, media_type="application/json")
