"""The base of every shape that the API answers: one model, which describes it and is encoded."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

import msgspec
from pydantic import BaseModel, WithJsonSchema

from penstock.moment import iso_or_none

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Row = TypeVar("Row")

_new, _set = object.__new__, object.__setattr__
_content = attrgetter("__dict__")

# ISO 8601 in UTC, as `penstock.moment.iso` writes it.
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class Shape(BaseModel):
    """What the API answers, made from our own values by a class method of the shape.

    The constructor checks them. `made` does not: pages of many rows are made with it, and shapes
    of which a field that is not given is absent from the answer.
    """

    @classmethod
    def made(cls, fields: dict[str, Any]) -> Self:
        """The shape of these fields, by their published names, to be encoded and no more.

        Unchecked, and a tenth of the time of `model_construct`, which goes over all fields.
        """
        shape = _new(cls)
        _set(shape, "__dict__", fields)
        return shape

    @classmethod
    def fields_of(cls, row: object, **others: Any) -> dict[str, Any]:
        """The fields as attributes of a row have them, or as `others` say; times come as ms."""
        fields = {
            name: others[name] if name in others else getattr(row, name)
            # Not `model_fields`, which costs as much as reading twenty attributes.
            for name in cls.__pydantic_fields__
        }
        for name in _times(cls):
            fields[name] = iso_or_none(fields[name])
        return fields

    def values(self) -> dict[str, Any]:
        """The JSON as Python values."""
        values: dict[str, Any] = msgspec.json.decode(encoded(self))
        return values


class RowShape(Shape):
    """A row with an attribute for each field."""

    @classmethod
    def of(cls, row: object) -> Self:
        """The shape of a row."""
        return cls.made(cls.fields_of(row))


class Page(Shape):
    """A page of a list: its fields are the items and `next_cursor`, which is null at the end."""

    @classmethod
    def of(
        cls,
        rows: Sequence[Row],
        limit: int,
        item: Callable[[Row], Shape],
        cursor: Callable[[Row], int | str] = attrgetter("id"),
    ) -> Self:
        """The page of these rows; fewer than `limit` end the list."""
        items, next_cursor = cls.model_fields
        following = cursor(rows[-1]) if len(rows) == limit else None
        return cls.made({items: [item(row) for row in rows], next_cursor: following})


@cache
def _times(shape: type[Shape]) -> list[str]:
    """The fields of a shape that are times."""
    return [
        name
        for name, field in shape.model_fields.items()
        if field.rebuild_annotation() in {Moment, Moment | None}
    ]


def encoded(answer: Shape | Sequence[Shape] | Mapping[str, object]) -> bytes:
    """The JSON. Not by pydantic's encoder, which cannot pass on what is JSON already."""
    return msgspec.json.encode(answer, enc_hook=_content)
