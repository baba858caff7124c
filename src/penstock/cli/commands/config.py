"""`penstock config …`: what is collected automatically, and when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from penstock.api.schemas.config import ConfigChange, ConfigShown, NewConfig
from penstock.cli.commands.inventory.sync import synced
from penstock.cli.commands.market.collect import cut_short, leave_with
from penstock.cli.fresh import is_fresh, refuse_unknown, refuse_unlisted
from penstock.cli.options import Database, Exchange, Timeframes, timeframes_of
from penstock.cli.reached import Reached, reached
from penstock.cli.shown.help import Commands
from penstock.cli.shown.progress import shown_progress
from penstock.cli.shown.terminal import err, fitting_table, out, print_table, shown_time
from penstock.cli.shown.text import one_line
from penstock.cli.signals import run
from penstock.cli.waited import waited
from penstock.collection.configs import ConfigList
from penstock.domains.market import exchanges
from penstock.errors import InvalidInputError
from penstock.inventory.source import MARKETPLACE
from penstock.inventory.sync.configs import find_account
from penstock.market.configured import DEFAULT_EXCHANGE
from penstock.market.instrument import parse_timeframes
from penstock.market.runs.submission import COLLECTION
from penstock.opening import open_reader
from penstock.settings import load_settings
from penstock.store.write.configs import configs as listed_configs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.settings import Settings

M = TypeVar("M", bound=BaseModel)

ADMIN = "/api/v1/admin/data-collection"

config = Commands("""Choose what is collected automatically, and when.

Examples:
  penstock config add BTC/USDT -t 1m,1h --every 5
  penstock config add my-shop --exchange cardtrader --cron "0 6 * * *"
  penstock config list
  penstock config edit 1 --every 15
  penstock config disable 1""")

_PAGE = 1_000

Id = Annotated[
    int,
    typer.Argument(
        metavar="ID",
        min=1,
        max=2**31 - 1,
        help="The id, as `penstock config list` shows it.",
    ),
]
Every = Annotated[
    int | None,
    typer.Option(
        "--every", metavar="MINUTES", help="Minutes between two runs.", show_default=False
    ),
]
Cron = Annotated[
    str | None,
    typer.Option(
        metavar="EXPRESSION",
        help="Instead of --every: minute hour day month weekday.",
        show_default=False,
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The time zone of --cron, such as Europe/Berlin.",
        show_default=False,
    ),
]
Description = Annotated[
    str | None, typer.Option(metavar="TEXT", help="A note for people.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
    as_json: AsJson = False,
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
    settings = load_settings(database_url=database)
    side = reached(settings)
    if dry_run:
        _show_preview(run(_new(settings, side, new, "/preview")), as_json=as_json)
    else:
        _show(run(_new(settings, side, new, "/configs")), as_json=as_json)


@config.command(name="list")
def list_(
    exchange: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this exchange.", show_default=False)
    ] = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the configs."""
    found = run(_list(load_settings(database_url=database), exchange))
    if as_json:
        typer.echo(json.dumps(found))
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
    table = fitting_table(*names, whole=("id", "symbol", "exchange", "on"))
    for one in found:
        shown = (
            str(one["id"]),
            one["symbol"],
            one["exchange"],
            ", ".join(one["timeframes"]),
            when(one),
            "yes" if one["enabled"] else "no",
        )
        table.add_row(*shown, shown_time(one["next_run_at"]), one_line(one["description"] or ""))
    print_table(table)


@config.command()
def edit(
    config_id: Id,
    timeframes: Timeframes = None,
    every: Every = None,
    cron: Cron = None,
    timezone: Timezone = None,
    description: Description = None,
    database: Database = None,
    as_json: AsJson = False,
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
    _change(config_id, fields, database, as_json=as_json)


@config.command()
def enable(config_id: Id, database: Database = None, as_json: AsJson = False) -> None:
    """Start automatic runs of a config."""
    _change(config_id, {"enabled": True}, database, as_json=as_json)


@config.command()
def disable(config_id: Id, database: Database = None, as_json: AsJson = False) -> None:
    """Stop automatic runs of a config; an active run continues."""
    _change(config_id, {"enabled": False}, database, as_json=as_json)


@config.command()
def remove(config_id: Id, database: Database = None) -> None:
    """Remove a config and cancel its active run; stored data stays."""
    run(_call(reached(load_settings(database_url=database)), "DELETE", f"/configs/{config_id}"))
    out.print(f"config {config_id} is removed")


@config.command()
def trigger(config_id: Id, database: Database = None, as_json: AsJson = False) -> None:
    """Run a config now and wait for the result."""
    run(_trigger(reached(load_settings(database_url=database)), config_id, as_json=as_json))


def _change(
    config_id: int, fields: Mapping[str, object], database: str | None, *, as_json: bool
) -> None:
    changes = checked(ConfigChange, fields).given()
    changing = _call(
        reached(load_settings(database_url=database)), "PUT", f"/configs/{config_id}", changes
    )
    _show(run(changing), as_json=as_json)


async def _call(
    side: Reached, method: str, path: str, body: Mapping[str, object] | None = None
) -> Any:  # noqa: ANN401 - JSON
    async with side as client:
        return await client.call(method, ADMIN + path, body)


async def _new(settings: Settings, side: Reached, new: NewConfig, path: str) -> dict[str, Any]:
    if is_fresh(settings):
        await _refuse_unknown(settings, new)
    made: dict[str, Any] = await _call(side, "POST", path, new.given())
    return made


async def _refuse_unknown(settings: Settings, new: NewConfig) -> None:
    exchange = new.exchange or DEFAULT_EXCHANGE
    if exchange == MARKETPLACE:
        find_account(new.symbol, {})
    elif exchange in exchanges():
        parse_timeframes(new.timeframes or ())
        await refuse_unlisted(settings, exchange, [new.symbol])
    else:
        await refuse_unknown(settings, exchange)


async def _list(settings: Settings, exchange: str | None) -> list[dict[str, Any]]:
    query = ConfigList(limit=_PAGE, exchange=exchange)
    async with open_reader(settings) as database:
        return [
            ConfigShown.of(one).values()
            for one in await database.read(lambda connection: listed_configs(connection, query))
        ]


async def _trigger(side: Reached, config_id: int, *, as_json: bool) -> None:
    path = f"{ADMIN}/configs/{config_id}"
    order = (f"{path}/trigger", None)
    async with side as client:
        config = await client.call("GET", path)
        if config["exchange"] == MARKETPLACE:
            summary = (await synced(client, order))["result"]
            typer.echo(json.dumps(summary) if as_json else one_line(str(summary["message"])))
            return
        with shown_progress() as advance:
            ended = await waited(client, order, advance, cancelled=cut_short)
        if ended["task_type"] != COLLECTION:
            typer.echo(json.dumps(ended["result"]) if as_json else one_line(ended["message"]))
            return
        steps = len(config["timeframes"])
        leave_with(ended, client.place, steps, as_json=as_json)


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


def when(fields: Mapping[str, Any]) -> str:
    """When a config runs, in words."""
    if fields["cron"] is not None:
        return f"{fields['cron']} ({fields['timezone']})"
    return f"every {fields['interval_minutes']} min"


def what(fields: Mapping[str, Any]) -> str:
    """What a config collects and when, in words."""
    timeframes = [",".join(fields["timeframes"])] if fields["timeframes"] else []
    return ", ".join([f"{fields['symbol']} on {fields['exchange']}", *timeframes, when(fields)])


def _show(fields: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(fields))
        return
    state = f"next run {fields['next_run_at']}" if fields["enabled"] else "disabled"
    out.print(f"config {fields['id']}: {what(fields)}, {state}")
    _warn(fields)


def _show_preview(fields: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(fields))
        return
    for at in fields["next_runs"]:
        out.print(at)
    _warn(fields)


def _warn(fields: Mapping[str, Any]) -> None:
    for warning in fields["warnings"]:
        err.print(f"warning: {warning}")
