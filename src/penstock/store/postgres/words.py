"""What PostgreSQL refuses, as a sentence with the statement that mends it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import URL

_PREPARER = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]
_SEARCH_PATH = re.compile(r'search_path\s*=\s*"?([^",\s]+)')

# A refused connection has no state; insufficient_privilege, read_only_sql_transaction,
# invalid_schema_name, duplicate_table, duplicate_object, untranslatable_character.
_STATES = {None, "42501", "25006", "3F000", "42P07", "42710", "22P05"}
# What an error says in English, the sentence for it, and the statement that mends it; {0} is the
# name in the error. A server that speaks another language is quoted as it is.
_SENTENCES = [
    (
        r'password authentication failed for user "(.+?)"',
        "the password of the role {0} is wrong, or there is no such role; correct the URL, or ",
        "ALTER ROLE {0} PASSWORD 'new'",
    ),
    (
        r"no password supplied",
        "the server wants a password; write it into the URL: {role}:password@host",
        "",
    ),
    (
        r'role "(.+?)" does not exist',
        "there is no role {0}; ",
        "CREATE ROLE {0} LOGIN PASSWORD 'new'",
    ),
    (
        r'role "(.+?)" is not permitted to log in',
        "the role {0} may not log in; ",
        "ALTER ROLE {0} LOGIN",
    ),
    (
        r'FATAL: +database "(.+?)" does not exist',
        "there is no database {0}; ",
        "CREATE DATABASE {0} OWNER {role}",
    ),
    (
        r'permission denied for database "(.+?)"',
        "the role {role} may not connect to the database {0}; ",
        "GRANT CONNECT ON DATABASE {0} TO {role}",
    ),
    (
        r'permission denied to create temporary tables in database "(.+?)"',
        "the role {role} may not create temporary tables in it; ",
        "GRANT TEMPORARY ON DATABASE {0} TO {role}",
    ),
    (
        r"permission denied for schema (\S+)",
        "the role {role} may not use the schema {0}; ",
        "GRANT USAGE, CREATE ON SCHEMA {0} TO {role}",
    ),
    (
        r"permission denied for (?:table|view|sequence) (\S+)",
        "the role {role} may not use {0}; ",
        "{grant}",
    ),
    (
        r"must be owner of (?:\w+ )+(\S+)",
        "{0} belongs to another role than {role}; run `penstock migrate` as the one that owns it",
        "",
    ),
    (
        r"in a read-only transaction",
        "it only reads; use the primary server, and no default_transaction_read_only",
        "",
    ),
    (
        r"no schema has been selected to create in",
        "it has no schema {schema}; ",
        "CREATE SCHEMA {schema} AUTHORIZATION {role}",
    ),
    (
        r'(?:relation|type|function) "(.+?)" already exists',
        "another program has a {0} in {schema}; add ?options=-csearch_path%3Dpenstock to the URL",
        "",
    ),
    (
        r'has no equivalent in encoding "(.+?)"',
        "its encoding is {0}, which lacks a character; move to a database with ENCODING 'UTF8'",
        "",
    ),
]


def quoted(name: str) -> str:
    """A name as it is written in a statement."""
    return str(_PREPARER.quote(name))


def as_administrator(statement: str) -> str:
    """How to have a statement run."""
    return f"run as an administrator: {statement}"


def grant_on_tables(schema: str, role: str) -> str:
    """What allows a role to work with tables that it does not own; both names are quoted."""
    return (
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}; "
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
    )


def in_words(error: psycopg.Error, url: URL) -> str | None:
    """The sentence for an error about rights and the like; None for any other."""
    if error.sqlstate not in _STATES:
        return None
    # Further lines may hold values of users.
    said = str(error).partition("\n")[0]
    for pattern, sentence, statement in _SENTENCES:
        if found := re.search(pattern, said):
            names = [quoted(name) for name in found.groups()]
            whole = sentence + (as_administrator(statement) if statement else "")
            role = quoted(url.username or os.environ.get("PGUSER", "ROLE"))
            schema = quoted(_schema(url))
            grant = grant_on_tables(schema, role)
            return whole.format(*names, role=role, schema=schema, grant=grant)
    return None


def _schema(url: URL) -> str:
    """The first schema of the search path in the URL."""
    found = _SEARCH_PATH.search(str(url.query.get("options", "")))
    return found[1] if found else "public"
