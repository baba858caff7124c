"""Words as the commands print them."""

from __future__ import annotations


def one_line(text: str) -> str:
    """On one line and without control characters, whoever wrote it."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def counted(number: int, noun: str) -> str:
    """`1 symbol`, `2,000 symbols`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
