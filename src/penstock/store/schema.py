"""The whole schema: the domains' tables, the run record, and what SQL alone can say (views, triggers).

The views keep the published names and columns, so that SQL written for them runs unchanged.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, false, true

from penstock.columns import BigId, Json, Timestamp, metadata
from penstock.inventory import tables as inventory_tables  # noqa: F401 - importing a domain's tables is what puts them into the schema
from penstock.market import tables as market_tables  # noqa: F401 - the same

if TYPE_CHECKING:
    from sqlalchemy import Connection

run = Table(
    "run",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("task_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("params", Json, nullable=False),
    Column("result", Json),
    Column("error", Text),
    Column("fence", Integer, nullable=False),
    Column("inserted", BigInteger, nullable=False, server_default="0"),
    Column("updated", BigInteger, nullable=False, server_default="0"),
    Column("unchanged", BigInteger, nullable=False, server_default="0"),
    Column("rejected", BigInteger, nullable=False, server_default="0"),
    Column("requests", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Timestamp, nullable=False),
    Column("started_at", Timestamp),
    Column("heartbeat_at", Timestamp),
    Column("finished_at", Timestamp),
    Column("job_name", Text),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("resources", Json),
    Column("waiting", Boolean, nullable=False, server_default=false()),
    Column("cancel_asked", Boolean, nullable=False, server_default=false()),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("next_try_at", Timestamp),
    Column("progress", Integer, nullable=False, server_default="0"),
    Column("message", Text),
    Column("progress_at", Timestamp),
    Column("idempotency_key", Text),
    Column("digest", Text),
    Column("request_digest", Text),
    # How far it is in a unit of its own, see penstock.core.run.Work.
    Column("work", Json),
    Index("run_state", "state", "priority", "id"),
    Index("run_finished", "finished_at"),
    Index("run_digest", "digest", "finished_at"),
    Index("run_idempotency_key", "idempotency_key", unique=True),
)

claim = Table("run_claim", metadata, Column("resource", Text, primary_key=True), Column("run_id", BigInteger, nullable=False, index=True))

# What runs by itself. `name` is the job name on its runs; `next_run_at` is claimed by a conditional update, so that each due run exists once.
schedule = Table(
    "schedule",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("params", Json, nullable=False),
    Column("interval_s", Integer),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("next_run_at", Timestamp, nullable=False),
    Column("last_due_at", Timestamp),
    Column("last_submitted_at", Timestamp),
    Column("cron", Text),
    Column("timezone", Text),
    Index("schedule_due", "enabled", "next_run_at"),
    CheckConstraint("(interval_s IS NULL) <> (cron IS NULL)", name="schedule_interval_or_cron"),
)

# What all processes together have used of a provider's limit in the running minute, and how long it told us to wait.
provider_budget = Table(
    "provider_budget",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("window_start", Timestamp, nullable=False),
    Column("used", Integer, nullable=False),
    Column("paused_until", Timestamp, nullable=False),
)

# Who may use the API. Of a token only the SHA-256 is kept.
api_token = Table(
    "api_token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("scope", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp),
    Column("last_used_at", Timestamp),
    Column("revoked_at", Timestamp),
)

# Where alerts are sent: an Apprise URL or a webhook. `url` and `signing_key` are encrypted, since addresses hold passwords too; `shown` is what
# may be seen of the address.
alert_target = Table(
    "alert_target",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("signing_key", Text),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("created_at", Timestamp, nullable=False),
)

# The state of each rule for each subject that it ever fired for.
alert = Table(
    "alert",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("since", Timestamp, nullable=False),
    Column("seen_at", Timestamp, nullable=False),
    Column("notified_at", Timestamp),
)

# One row: when some process last looked. Who moves it on, by a conditional update, is the one who looks.
alert_look = Table("alert_look", metadata, Column("id", Integer, primary_key=True), Column("looked_at", Timestamp, nullable=False))

# What is to be sent, written with the change of state that it tells of.
alert_message = Table(
    "alert_message",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("target_id", Integer, ForeignKey("alert_target.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("body", Json, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("created_at", Timestamp, nullable=False),
    Column("next_try_at", Timestamp, nullable=False),
    Column("sent_at", Timestamp),
    Column("error", Text),
    Index("alert_message_due", "sent_at", "next_try_at"),
)

# The views and triggers that are in force. A change of them is a new pair of files and a migration that executes it.
_PROGRAM = ("0001", "0002", "0003")


def program(number: str, dialect: str) -> list[str]:
    """The statements of a version of the views and triggers, none if it does not concern this database; a blank line stands between two."""
    file = files("penstock.store").joinpath("program", f"{number}.{dialect}.sql")
    return [statement.strip() for statement in file.read_text(encoding="utf-8").split("\n\n")] if file.is_file() else []


def create_all(connection: Connection) -> None:
    """Build the present schema in an empty database, without migrations: what they have to arrive at."""
    metadata.create_all(connection)
    for number in _PROGRAM:
        for statement in program(number, connection.dialect.name):
            connection.exec_driver_sql(statement)
