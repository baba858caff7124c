"""Text at the edge: names, and text that people write; without what no database keeps."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError


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
