"""Whether the role of a URL may do in a PostgreSQL database what Penstock does there.

What can be known is asked before the first change, and refused with the statement that mends it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from penstock.errors import StoreUnavailableError
from penstock.store.postgres.words import as_administrator, grant_on_tables, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

_OLDEST = 14
_IN_PATH = re.compile(r'"((?:[^"]|"")+)"|([^\s,]+)')

_STATE = text("""
    SELECT current_user AS role, current_database() AS database, current_schema() AS schema,
        current_setting('search_path') AS path,
        current_setting('server_version_num')::integer / 10000 AS server,
        current_setting('transaction_read_only') = 'on' AS read_only,
        pg_is_in_recovery() AS standby,
        current_setting('server_encoding') AS encoding,
        has_database_privilege(current_database(), 'CREATE') AS may_make_schemas,
        has_database_privilege(current_database(), 'TEMPORARY') AS may_stage,
        has_schema_privilege(current_schema(), 'CREATE') AS may_make_tables""")
# The tables that the search path leads to; no row when there are none.
_OURS = text("""
    SELECT nspname AS schema, pg_get_userbyid(ours.relowner) AS owner,
        pg_has_role(ours.relowner, 'USAGE') AS may_change_tables,
        EXISTS (
            SELECT FROM pg_class AS one
            WHERE one.relnamespace = ours.relnamespace AND one.relname = 'candle'
        ) AS complete, (
            SELECT string_agg(DISTINCT action, ', ')
            FROM pg_class AS one, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS action
            WHERE one.relnamespace = ours.relnamespace AND one.relkind = 'r'
                AND (one.relname = ANY(:tables) OR one.relname LIKE 'procrastinate\\_%')
                AND NOT has_table_privilege(one.oid, action)
        ) AS forbidden, (
            SELECT count(*) FROM pg_class AS sequence
            JOIN pg_depend AS owned ON owned.objid = sequence.oid AND owned.deptype = 'a'
            JOIN pg_class AS one ON one.oid = owned.refobjid
            WHERE one.relnamespace = ours.relnamespace
                AND (one.relname = ANY(:tables) OR one.relname LIKE 'procrastinate\\_%')
                AND CASE sequence.relkind
                    WHEN 'S' THEN NOT has_sequence_privilege(sequence.oid, 'USAGE')
                END
        ) AS forbidden_sequences
    FROM pg_class AS ours JOIN pg_namespace ON pg_namespace.oid = ours.relnamespace
    WHERE ours.oid = to_regclass('alembic_version')""")
_VERSION = text("SELECT version_num FROM alembic_version")
_ANOTHER = text("""
    SELECT schemaname FROM pg_tables WHERE tablename IN ('candle', 'run_claim')
    GROUP BY schemaname HAVING count(*) = 2""")
_MAY_USE = text("SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = :name")


def check_rights(
    connection: Connection, tables: Sequence[str], newest: str, *, migrating: bool
) -> None:
    """StoreUnavailableError with what the role lacks, or the server.

    `tables` are all those of the version `newest`. `migrating`: make the schema that the URL names,
    if it is not there.
    """
    state = connection.execute(_STATE).one()
    ours = connection.execute(_OURS, {"tables": [*tables, "alembic_version"]}).one_or_none()
    why = _of_server(state) or (
        _of_tables(state, ours) or _of_owner(connection, state, ours, newest)
        if ours is not None
        else _of_place(connection, state, migrating=migrating)
    )
    if why is not None:
        raise StoreUnavailableError(f"the database cannot be used: {why}")


def _of_server(state: Row[Any]) -> str | None:
    if state.server < _OLDEST:
        return f"this is PostgreSQL {state.server}; use {_OLDEST} or newer"
    if state.standby:
        return "this server is a standby, which only reads; use the address of the primary"
    if state.read_only:
        role, database = quoted(state.role), quoted(state.database)
        return (
            "its transactions are read-only; remove default_transaction_read_only from the URL, or "
            + as_administrator(
                f"ALTER ROLE {role} IN DATABASE {database} SET default_transaction_read_only = off"
            )
        )
    if not state.may_stage:
        role, database = quoted(state.role), quoted(state.database)
        return f"the role {role} may not create temporary tables in it; " + as_administrator(
            f"GRANT TEMPORARY ON DATABASE {database} TO {role}"
        )
    return None


def _of_tables(state: Row[Any], ours: Row[Any]) -> str | None:
    role, schema = quoted(state.role), quoted(ours.schema)
    if not ours.complete:
        return (
            f"the alembic_version in the schema {schema} is another program's; give Penstock a "
            "schema of its own: add ?options=-csearch_path%3Dpenstock to the URL"
        )
    if not (ours.forbidden or ours.forbidden_sequences):
        return None
    what = f"{ours.forbidden} in" if ours.forbidden else "use the sequences of"
    return f"the role {role} may not {what} the tables of the schema {schema}; " + (
        as_administrator(grant_on_tables(schema, role))
    )


def _of_owner(connection: Connection, state: Row[Any], ours: Row[Any], newest: str) -> str | None:
    """Why the tables cannot be migrated, if they have to be."""
    if ours.may_change_tables or connection.scalar(_VERSION) == newest:
        return None
    role, owner = quoted(state.role), quoted(ours.owner)
    return (
        f"its tables have to be migrated, and they belong to the role {owner}; run `penstock "
        f"migrate` as that role, or {as_administrator(f'GRANT {owner} TO {role}')}"
    )


def _of_place(connection: Connection, state: Row[Any], *, migrating: bool) -> str | None:
    """Why Penstock's tables cannot be made; they are not there."""
    path = _names(state.path)
    if state.encoding != "UTF8":
        return (
            f"its encoding is {state.encoding}, and Penstock needs UTF8; use another one, "
            "such as: CREATE DATABASE penstock ENCODING 'UTF8' TEMPLATE template0"
        )
    for other in connection.execute(_ANOTHER).scalars():
        if other not in path:
            return (
                f"its schema {quoted(other)} holds another Penstock; name that schema in the URL "
                f"(?options=-csearch_path%3D{other}), or use another database"
            )
    wanted = next((name for name in path if name != "$user"), None)
    if state.schema in {wanted, state.role}:
        return None if state.may_make_tables else _no_right(state, state.schema)
    return _of_schema(connection, state, wanted or "public", migrating=migrating)


def _of_schema(
    connection: Connection, state: Row[Any], wanted: str, *, migrating: bool
) -> str | None:
    """Why tables cannot be made in a schema that does not exist, or may not be used."""
    if connection.execute(_MAY_USE, {"name": wanted}).scalar() is not None:
        return _no_right(state, wanted)
    role, schema = quoted(state.role), quoted(wanted)
    if not state.may_make_schemas:
        return (
            f"it has no schema {schema}, and the role {role} may not make one; "
            + as_administrator(f"CREATE SCHEMA {schema} AUTHORIZATION {role}")
        )
    if migrating:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    return None


def _no_right(state: Row[Any], name: str) -> str:
    role, schema = quoted(state.role), quoted(name)
    return f"the role {role} may not create tables in the schema {schema}; " + (
        as_administrator(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}")
    )


def _names(path: str) -> list[str]:
    """The schemas of a search path."""
    return [quote.replace('""', '"') or plain.lower() for quote, plain in _IN_PATH.findall(path)]
