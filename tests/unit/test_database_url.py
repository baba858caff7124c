"""Database URLs as users write them."""

from __future__ import annotations

import pytest

from penstock.errors import InvalidInputError
from penstock.store.connect import parse_url


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me@host/name",
        "postgres://me@host/name",
        "postgresql+psycopg://me@host/name?sslmode=require",
    ],
)
def test_every_form_of_a_postgresql_url_uses_the_same_driver(text: str) -> None:
    assert parse_url(text).drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "penstock.db",
        "mysql://host/x",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///x.db?mode=ro",
        "postgresql://host:port/x",
        "postgresql://host/x?no=1",
    ],
)
def test_an_invalid_database_url_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^database: ") as refused:
        parse_url(text)
    assert refused.value.field == "database"


def test_a_password_with_an_unescaped_at_sign_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidInputError, match="%40") as refused:
        parse_url("postgresql://me:se@cret@host/name")
    assert "cret" not in str(refused.value)
