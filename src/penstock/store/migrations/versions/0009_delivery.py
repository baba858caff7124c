"""Delivery: on PostgreSQL runs come to workers through the queue of procrastinate.

Runs keep their claims and their fences. What was running is queued again, and the first sweep gives
every queued run its start token.
"""

import sqlalchemy as sa
from alembic import op

from penstock.columns import DatabaseNow, Timestamp
from penstock.errors import ConflictError
from penstock.store.schema import make_queue

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_FRESH_S = 30

_run = sa.table(
    "run",
    sa.column("id", sa.BigInteger()),
    sa.column("task_id", sa.Text()),
    sa.column("state", sa.Text()),
    sa.column("waiting", sa.Boolean()),
    sa.column("heartbeat_at", Timestamp()),
)


def upgrade() -> None:
    """Forward only: a database is backed up before an upgrade, not migrated back."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        _refuse_old_workers(connection)
        make_queue(connection)
    connection.execute(sa.update(_run).where(_run.c.state == "running").values(state="queued"))
    op.add_column("run", sa.Column("job_id", sa.BigInteger()))
    op.drop_column("run", "heartbeat_at")
    op.create_index(
        "run_waiting",
        "run",
        ["id"],
        postgresql_where=sa.text("waiting"),
        sqlite_where=sa.text("waiting"),
    )


def _refuse_old_workers(connection: sa.Connection) -> None:
    """ConflictError while a worker of the version before is at work: it knows no start tokens."""
    fresh = sa.select(_run.c.task_id).where(
        _run.c.state == "running", _run.c.heartbeat_at > DatabaseNow(ago_ms=1000 * _FRESH_S)
    )
    task_id = connection.scalar(fresh.order_by(_run.c.id).limit(1))
    if task_id is not None:
        message = (
            f"a Penstock of the version before still works on task {task_id}; stop all of its"
            f" processes, and start this one {_FRESH_S} s later"
        )
        raise ConflictError(message)
