"""What the API takes: bodies and queries, and the kinds of their fields that several have.

Text comes without the characters that no database keeps.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    PlainSerializer,
)
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import chain_schema, no_info_plain_validator_function

from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_END = dt.datetime(9999, 12, 31, tzinfo=dt.UTC) - _EPOCH
_MS = dt.timedelta(milliseconds=1)
# The first time, in ms, that is too late for a database.
LATEST = _END // _MS


class Input(BaseModel):
    """A body or the parameters of a query; fields that it does not have are refused."""

    model_config = ConfigDict(extra="forbid")


def not_null(what: str) -> Callable[[T], T]:
    """What refuses null for a field that may be left out of a change."""

    def checked(value: T) -> T:
        if value is None:
            message = f"{what} needs a value here; leave the field out to keep the one it has"
            raise PydanticCustomError("null", message)
        return value

    return checked


def _no_control_characters(name: str) -> str:
    # PostgreSQL has no NUL in a text, and no symbol has any of the others.
    if not name.isprintable():
        message = "a name has no control characters"
        raise PydanticCustomError("control_character", message)
    return name


def _no_control_characters_but_line_ends(text: str) -> str:
    if not text.translate({ord(sign): " " for sign in "\n\r\t"}).isprintable():
        message = "this text has no control characters but tabs and line ends"
        raise PydanticCustomError("control_character", message)
    return text


Name = Annotated[str, Field(max_length=50), AfterValidator(_no_control_characters)]
Description = Annotated[
    str, Field(max_length=1_000), AfterValidator(_no_control_characters_but_line_ends)
]


def _ms(at: dt.datetime) -> int:
    since = (at if at.tzinfo else at.replace(tzinfo=dt.UTC)) - _EPOCH
    if not dt.timedelta(0) <= since < _END:
        message = "the time has to lie between 1970 and 9999"
        raise PydanticCustomError("time", message)
    return since // _MS


# ISO 8601 in JSON, in UTC unless it has an offset; milliseconds since the epoch inside.
Time = Annotated[
    int,
    GetPydanticSchema(
        lambda _source, handler: chain_schema(
            [handler(dt.datetime), no_info_plain_validator_function(_ms)]
        )
    ),
    PlainSerializer(iso, when_used="json"),
]
# The number of a row.
Id = Annotated[int, Field(ge=1, lt=2**31)]
Timeframes = Annotated[list[Name], Field(min_length=1, max_length=16)]
Limit = Annotated[int, Field(ge=1, le=1_000)]
# The number of the last row of the page before.
Cursor = Annotated[int, Field(ge=0, lt=2**31, description="`next_cursor` of the page before")]
