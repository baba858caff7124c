"""The ledger gets evidence: how often a gap was asked for, when, of whom, and when again.

What earlier versions called an outage, not listed or delisted rests on one answer. It becomes
`unconfirmed` with one answer counted, due again within the next days, so that wrong ones heal by
ordinary runs and the provider is not asked for all of them at once.
"""

import sqlalchemy as sa
import structlog
from alembic import op

from penstock.columns import Json, Timestamp
from penstock.store.schema import program

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_log = structlog.get_logger()


def upgrade() -> None:
    """Forward only: a database is backed up before an upgrade, not migrated back."""
    op.add_column("coverage", sa.Column("asked", sa.Integer()))
    op.add_column("coverage", sa.Column("first_asked", Timestamp()))
    op.add_column("coverage", sa.Column("last_asked", Timestamp()))
    op.add_column("coverage", sa.Column("source", sa.Text()))
    op.add_column("coverage", sa.Column("due_at", Timestamp()))
    op.add_column("coverage", sa.Column("origin", sa.Text()))
    op.add_column("run", sa.Column("work", Json))
    op.add_column("instrument", sa.Column("gone_at", Timestamp()))
    op.create_index("restatement_at", "restatement", ["restated_at"])
    op.create_table(
        "exchange_clock",
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("ahead_ms", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("exchange"),
    )
    for statement in program("0003", op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)
    doubted = _doubt(op.get_bind())
    if doubted:
        _log.warning(
            "gaps that rested on one answer are asked for again in the next days; to look at all of"
            " them now: penstock verify --against rest",
            gaps=doubted,
        )


_ledger = sa.table(
    "coverage",
    sa.column("series_id"),
    sa.column("start_time", Timestamp()),
    sa.column("end_time", Timestamp()),
    sa.column("state"),
    sa.column("asked"),
    sa.column("first_asked", Timestamp()),
    sa.column("last_asked", Timestamp()),
    sa.column("source"),
    sa.column("due_at", Timestamp()),
    sa.column("run_id"),
)
_series = sa.table("series", sa.column("id"), sa.column("instrument_id"))
_instrument = sa.table("instrument", sa.column("id"), sa.column("exchange"))
_ON_ONE_ANSWER = ("outage", "not_listed", "delisted")
_SPREAD_MS = 3 * 86_400_000


def _doubt(connection: sa.Connection) -> int:
    """Make what rested on one answer unconfirmed; gives how many gaps that were."""
    span = _ledger.c
    at_zero = sa.literal(0, Timestamp())
    connection.execute(sa.delete(_ledger).where(span.end_time <= at_zero))
    connection.execute(
        sa.update(_ledger).where(span.start_time < at_zero).values(start_time=at_zero)
    )
    # What was collected last stands nearest to the providers' present.
    now = connection.scalar(sa.select(sa.func.max(span.end_time, type_=Timestamp())))
    wanted = sa.select(
        span.series_id, span.start_time, span.end_time, span.run_id, _instrument.c.exchange
    )
    wanted = wanted.join_from(_ledger, _series, _series.c.id == span.series_id).join(
        _instrument, _instrument.c.id == _series.c.instrument_id
    )
    rows = connection.execute(
        wanted.where(span.state.in_(_ON_ONE_ANSWER)).order_by(span.series_id, span.start_time)
    ).all()
    joined: list[dict[str, object]] = []
    for row in rows:
        if joined and (joined[-1]["series_id"], joined[-1]["end_time"]) == (
            row.series_id,
            row.start_time,
        ):
            joined[-1]["end_time"] = row.end_time
        else:
            joined.append(
                {
                    "series_id": row.series_id,
                    "start_time": row.start_time,
                    "end_time": row.end_time,
                    "source": row.exchange,
                    "run_id": row.run_id,
                }
            )
    for place, gap in enumerate(joined):
        due_at = now + _SPREAD_MS * place // len(joined)
        gap.update(state="unconfirmed", asked=1, first_asked=now, last_asked=now, due_at=due_at)
    connection.execute(sa.delete(_ledger).where(span.state.in_(_ON_ONE_ANSWER)))
    if joined:
        connection.execute(sa.insert(_ledger), joined)
    return len(joined)
