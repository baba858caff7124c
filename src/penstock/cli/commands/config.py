"""`penstock config …`: what is collected automatically, and when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import quote

import typer
from pydantic import BaseModel, ValidationError

from penstock.api.schemas.config import ConfigChange, ConfigShown, NewConfig
from penstock.api.schemas.schedule import ScheduleShown
from penstock.cli.commands.inventory.sync import synced
from penstock.cli.commands.market.collect import cut_short, leave_with
from penstock.cli.fresh import refuse_unknown, refuse_unlisted, when_fresh
from penstock.cli.options import (
    AnyJson,
    Database,
    Exchange,
    Exchanges,
    Timeframes,
    timeframes_of,
)
from penstock.cli.reached import call, reach
from penstock.cli.reading import read
from penstock.cli.shown.help import Commands
from penstock.cli.shown.progress import shown_progress
from penstock.cli.shown.terminal import err, out, print_json, print_rows, shown_time
from penstock.cli.shown.text import one_line
from penstock.cli.waited import waited
from penstock.collection.configs import ConfigList
from penstock.domains.automatic import COLLECT_ALL, automatic_by_service, exchanges
from penstock.errors import InvalidInputError
from penstock.inventory.source import MARKETPLACE
from penstock.inventory.sync.configs import find_account
from penstock.market.configured import DEFAULT_EXCHANGE
from penstock.market.instrument import parse_timeframes
from penstock.market.runs.submission import COLLECTION
from penstock.name import counted
from penstock.settings import load_settings
from penstock.store.write.configs import configs as listed_configs
from penstock.store.write.schedules import schedule_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.cli.client import ApiClient
    from penstock.cli.shown.text import Fields
    from penstock.collection.configs import Config
    from penstock.market.configured import Configured
    from penstock.settings import Settings
    from penstock.store.session.database import Transaction
    from penstock.store.write.schedules import ScheduleRow

M = TypeVar("M", bound=BaseModel)

ADMIN = "/api/v1/admin/data-collection"
_CONFIGS = f"{ADMIN}/configs"

config = Commands("""Choose what is collected automatically, and when.

Examples:
  penstock config add BTC/USDT -t 1m,1h --every 5
  penstock config add my-shop --exchange cardtrader --cron "0 6 * * *"
  penstock config list
  penstock config edit BTC/USDT --every 15
  penstock config disable my-shop""")

_MOST = 1_000

Name = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        help="BTC/USDT or BTCUSDT, an account's name, or the id that `penstock config list` shows.",
    ),
]
Every = Annotated[
    int | None,
    typer.Option("--every", metavar="MINUTES", help="Minutes between two runs."),
]
Cron = Annotated[
    str | None,
    typer.Option(
        metavar="EXPRESSION",
        help="Instead of --every: minute hour day month weekday.",
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The time zone of --cron, such as Europe/Berlin.",
    ),
]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="A note for people.")]


@config.command()
def add(
    symbol: Annotated[
        str,
        typer.Argument(
            metavar="SYMBOL",
            help="BTC/USDT or BTCUSDT; with --exchange cardtrader, an account's name.",
        ),
    ],
    timeframes: Timeframes = None,
    every: Every = None,
    cron: Cron = None,
    timezone: Timezone = None,
    exchange: Exchange = "binance",
    description: Description = None,
    disabled: Annotated[
        bool, typer.Option("--disabled", help="Add it without starting it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the next runs, and stop.")
    ] = False,
    database: Database = None,
    as_json: AnyJson = False,
) -> None:
    """Collect a symbol or sync an inventory automatically, every N minutes or by cron."""
    fields = _given(
        timeframes=timeframes_of(timeframes),
        interval_minutes=every,
        cron=cron,
        timezone=timezone,
        description=description,
    )
    new = checked(
        NewConfig, {"symbol": symbol, "exchange": exchange, "enabled": not disabled} | fields
    )
    when_fresh(database, lambda settings: _refuse_unknown(settings, new))
    path, show = ("/preview", _show_preview) if dry_run else ("/configs", _show)
    made = call(database, "POST", ADMIN + path, new.given())
    if as_json:
        print_json(made)
    else:
        show(made)


@config.command(name="list")
def list_(
    exchange: Exchanges = None,
    database: Database = None,
    as_json: AnyJson = False,
) -> None:
    """List the configs, and the default schedule beside them.

    --json lists the configs alone.
    """
    query = ConfigList(limit=_MOST, exchange=exchange)
    settings = load_settings(database_url=database)

    def shown(connection: Transaction) -> tuple[list[Config], ScheduleRow | None, Configured]:
        automatic = automatic_by_service(connection, settings)
        return (
            listed_configs(connection, query),
            schedule_named(connection, automatic.asleep, COLLECT_ALL),
            automatic.configured,
        )

    kept, default, configured = read(database, shown)
    found = [ConfigShown.of(row).values() for row in kept]
    if as_json:
        print_json(found)
        return
    names = (
        "id",
        "symbol",
        "exchange",
        "timeframes",
        "when",
        "on",
        "next run (UTC)",
        "description",
    )
    rows: list[tuple[object, ...]] = [
        (
            item["id"],
            item["symbol"],
            item["exchange"],
            ", ".join(item["timeframes"]),
            when(item),
            item["enabled"],
            shown_time(item["next_run_at"]),
            item["description"],
        )
        for item in found
    ]
    if default is not None and exchange in {None, configured.exchange}:
        rows.append(_default(ScheduleShown.of(default), configured))
    print_rows(names, rows, whole=("id", "symbol", "exchange", "on"))


def _default(shown: ScheduleShown, configured: Configured) -> tuple[object, ...]:
    """The default schedule as a row of the list."""
    symbols = configured.symbols
    which = (
        f"{configured.most_traded} most traded"
        if symbols is None
        else counted(len(symbols), "symbol")
    )
    return (
        None,
        "default",
        configured.exchange,
        ", ".join(configured.timeframes),
        f"every {(shown.interval_seconds or 0) / 60:g} min",
        "asleep" if shown.asleep is not None else shown.enabled,
        shown_time(shown.next_run_at),
        shown.asleep or f"{which}, without those of configs",
    )


@config.command()
def edit(
    name: Name,
    timeframes: Timeframes = None,
    every: Every = None,
    cron: Cron = None,
    timezone: Timezone = None,
    description: Description = None,
    database: Database = None,
    as_json: AnyJson = False,
) -> None:
    """Change a config; a changed selection or schedule cancels its active run."""
    fields = _given(
        timeframes=timeframes_of(timeframes),
        interval_minutes=every,
        cron=cron,
        timezone=timezone,
        description=description,
    )
    if not fields:
        raise InvalidInputError(
            "edit: no change was given; see penstock config edit --help", field="edit"
        )
    _change(name, fields, database, as_json=as_json)


@config.command()
def enable(name: Name, database: Database = None, as_json: AnyJson = False) -> None:
    """Start automatic runs of a config."""
    _change(name, {"enabled": True}, database, as_json=as_json)


@config.command()
def disable(name: Name, database: Database = None, as_json: AnyJson = False) -> None:
    """Stop automatic runs of a config; an active run continues."""
    _change(name, {"enabled": False}, database, as_json=as_json)


@config.command()
def remove(name: Name, database: Database = None) -> None:
    """Remove a config and cancel its active run; stored data stays."""
    removed = reach(database, lambda client: _remove(client, name))
    out.print(f"config {removed['id']} is removed: {removed['symbol']} on {removed['exchange']}")


@config.command()
def trigger(name: Name, database: Database = None, as_json: AnyJson = False) -> None:
    """Run a config now and wait for the result."""
    reach(
        database,
        lambda client: _trigger(client, name, as_json=as_json),
    )


def _path(name: object) -> str:
    return f"{_CONFIGS}/{quote(str(name), safe='')}"


def _change(
    name: str, fields: Mapping[str, object], database: str | None, *, as_json: bool
) -> None:
    changes = checked(ConfigChange, fields).given()
    changed = call(database, "PUT", _path(name), changes)
    if as_json:
        print_json(changed)
    else:
        _show(changed)


async def _refuse_unknown(settings: Settings, new: NewConfig) -> None:
    exchange = new.exchange or DEFAULT_EXCHANGE
    if exchange == MARKETPLACE:
        find_account(new.symbol, {})
    elif exchange in exchanges():
        parse_timeframes(new.timeframes or ())
        await refuse_unlisted(settings, exchange, [new.symbol])
    else:
        await refuse_unknown(settings, exchange)


async def _remove(client: ApiClient, name: str) -> Fields:
    """The config that was removed."""
    found: Fields = await client.call("GET", _path(name))
    await client.call("DELETE", _path(found["id"]))
    return found


async def _trigger(client: ApiClient, name: str, *, as_json: bool) -> None:
    config = await client.call("GET", _path(name))
    order = (f"{_path(config['id'])}/trigger", None)
    if config["exchange"] == MARKETPLACE:
        ended = await synced(client, order)
    else:
        with shown_progress() as advance:
            ended = await waited(client, order, advance, cancelled=cut_short)
    if ended.get("task_type") == COLLECTION:
        leave_with(ended, client.place, len(config["timeframes"]), as_json=as_json)
    else:
        typer.echo(json.dumps(ended["result"]) if as_json else one_line(ended["message"]))


def checked(model: type[M], fields: object) -> M:
    """The validated fields; InvalidInputError names the wrong one."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"]) or "file"
        raise InvalidInputError(f"{field}: {fault['msg']}", field=field) from None


def _given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def when(fields: Fields) -> str:
    """When a config runs, in words."""
    if fields["cron"] is not None:
        return f"{fields['cron']} ({fields['timezone']})"
    return f"every {fields['interval_minutes']} min"


def what(fields: Fields) -> str:
    """What a config collects and when, in words."""
    timeframes = [",".join(fields["timeframes"])] if fields["timeframes"] else []
    return ", ".join([f"{fields['symbol']} on {fields['exchange']}", *timeframes, when(fields)])


def _show(fields: Fields) -> None:
    state = f"next run {fields['next_run_at']}" if fields["enabled"] else "disabled"
    out.print(f"config {fields['id']}: {what(fields)}, {state}")
    _warn(fields)


def _show_preview(fields: Fields) -> None:
    for at in fields["next_runs"]:
        out.print(at)
    _warn(fields)


def _warn(fields: Fields) -> None:
    for warning in fields["warnings"]:
        err.print(f"warning: {warning}")
