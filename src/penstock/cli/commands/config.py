"""`penstock config …`: what is collected by itself, and when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.api.schemas.config import ConfigChange, NewConfig, config_fields
from penstock.app import CollectReport, refuse_bad_order, refuse_bad_sync
from penstock.cli.commands.market.collect import followed_here, leave_with, report_of
from penstock.cli.doors import Here, checked, opened
from penstock.cli.followed import ended_task
from penstock.cli.options import Database, Exchange
from penstock.cli.shown.terminal import err, fitting_table, out, print_table, shown_time
from penstock.cli.shown.text import one_line
from penstock.cli.signals import run
from penstock.collection.configs import ConfigList
from penstock.errors import InvalidInputError
from penstock.inventory.source import MARKETPLACE
from penstock.inventory.sync import INVENTORY_SYNC
from penstock.logs import log_to_stderr
from penstock.market.runs import CollectOrder
from penstock.opening import masked_url, open_reader
from penstock.settings import load_settings
from penstock.store.write.configs import configs as listed_configs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from penstock.app import App
    from penstock.cli.client import ServiceClient
    from penstock.cli.doors import Door
    from penstock.settings import Settings

config = typer.Typer(help="What is collected by itself, and when: add, list, edit, enable, disable, remove, trigger.", no_args_is_help=True)

_PAGE = 1_000

Id = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**31 - 1, help="The config's number, as `penstock config list` shows it.")]
Timeframes = Annotated[
    list[str] | None,
    typer.Option("-t", "--timeframe", metavar="STEP", help="1m, 5m, 1h, 1d …; several with commas, or -t again.", show_default=False),
]
Every = Annotated[int | None, typer.Option("--every", metavar="MINUTES", help="Minutes between two runs.", show_default=False)]
Cron = Annotated[str | None, typer.Option(metavar="EXPRESSION", help="In its place: minute hour day month weekday.", show_default=False)]
Timezone = Annotated[str | None, typer.Option(metavar="NAME", help="The time zone of the expression, such as Europe/Berlin.", show_default=False)]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="For people.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]


@config.command()
def add(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="BTC/USDT or BTCUSDT; with --exchange cardtrader the name of an account.")],
    timeframes: Timeframes = None,
    every: Every = None,
    cron: Cron = None,
    timezone: Timezone = None,
    exchange: Exchange = "binance",
    description: Description = None,
    disabled: Annotated[bool, typer.Option("--disabled", metavar="", help="Do not collect by itself yet.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Only show the next runs.")] = False,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Collect a symbol, or sync an inventory, by itself: every some minutes or at the times of a cron expression."""
    fields = _given(timeframes=_split(timeframes), interval_minutes=every, cron=cron, timezone=timezone, description=description)
    new = checked(NewConfig, {"symbol": symbol, "exchange": exchange, "enabled": not disabled} | fields)
    settings = load_settings(database_url=database)
    if dry_run:
        _show_preview(run(_through(settings, lambda door: door.preview(new), new)), as_json=as_json)
    else:
        _show(run(_through(settings, lambda door: door.add(new), new)), as_json=as_json)


@config.command(name="list")
def list_(
    exchange: Annotated[str | None, typer.Option(metavar="NAME", help="Of this exchange alone.", show_default=False)] = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show all configs."""
    found = run(_list(load_settings(database_url=database), exchange))
    if as_json:
        typer.echo(json.dumps(found))
        return
    names = ("id", "symbol", "exchange", "timeframes", "when", "on", "next run (UTC)", "description")
    table = fitting_table(*names, whole=("id", "symbol", "exchange", "on"))
    for one in found:
        shown = (str(one["id"]), one["symbol"], one["exchange"], ", ".join(one["timeframes"]), when(one), "yes" if one["enabled"] else "no")
        table.add_row(*shown, shown_time(one["next_run_at"]), one_line(one["description"] or ""))
    print_table(table, fit=True)


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
    """Change what is given; when it then collects something else or at other times, its active run is cancelled."""
    fields = _given(timeframes=_split(timeframes), interval_minutes=every, cron=cron, timezone=timezone, description=description)
    if not fields:
        raise InvalidInputError("edit: nothing to change was given; see penstock config edit --help", field="edit")
    _change(config_id, fields, database, as_json=as_json)


@config.command()
def enable(config_id: Id, database: Database = None, as_json: AsJson = False) -> None:
    """Let a config collect by itself."""
    _change(config_id, {"enabled": True}, database, as_json=as_json)


@config.command()
def disable(config_id: Id, database: Database = None, as_json: AsJson = False) -> None:
    """Stop it from collecting by itself; a run that is running ends as it would."""
    _change(config_id, {"enabled": False}, database, as_json=as_json)


@config.command()
def remove(config_id: Id, database: Database = None) -> None:
    """Delete a config; its active run is cancelled, what it has written stays."""
    run(_through(load_settings(database_url=database), lambda door: door.remove(config_id)))
    out.print(f"config {config_id} is deleted")


@config.command()
def trigger(config_id: Id, database: Database = None, as_json: AsJson = False) -> None:
    """Collect what a config says now, and come back when it is written."""
    done = run(_trigger(load_settings(database_url=database), config_id))
    if isinstance(done, CollectReport):
        leave_with(done, as_json=as_json)
    elif as_json:
        typer.echo(json.dumps(done))
    else:
        out.print(one_line(str(done["message"])))


def _change(config_id: int, fields: Mapping[str, object], database: str | None, *, as_json: bool) -> None:
    changes = checked(ConfigChange, fields)
    _show(run(_through(load_settings(database_url=database), lambda door: door.change(config_id, changes))), as_json=as_json)


async def _through(settings: Settings, call: Callable[[Door], Awaitable[Any]], new: NewConfig | None = None) -> Any:  # noqa: ANN401 - JSON
    log_to_stderr(settings.log_level or "critical")
    if new is not None:
        await _refuse_bad(settings, new)
    async with opened(settings) as door:
        return await call(door)


async def _refuse_bad(settings: Settings, new: NewConfig) -> None:
    if new.exchange == MARKETPLACE:
        await refuse_bad_sync(settings, new.symbol)
    else:
        order = CollectOrder(symbols=[new.symbol], timeframes=new.timeframes, exchange=new.exchange or "binance")
        await refuse_bad_order(settings, order)


async def _list(settings: Settings, exchange: str | None) -> list[dict[str, Any]]:
    query = ConfigList(limit=_PAGE, exchange=exchange)
    async with open_reader(settings) as database:
        return [config_fields(one) for one in await database.read(lambda connection: listed_configs(connection, query))]


async def _trigger(settings: Settings, config_id: int) -> CollectReport | Mapping[str, Any]:
    """The report of a collection, or the summary of a sync."""
    log_to_stderr(settings.log_level or "critical")
    async with opened(settings) as door:
        return await (_trigger_here(door.app, config_id) if isinstance(door, Here) else _trigger_there(door.client, config_id, settings))


async def _trigger_here(app: App, config_id: int) -> CollectReport | Mapping[str, Any]:
    config = await app.configs.store.get(config_id)
    if config.wanted.exchange == MARKETPLACE:
        summary = await app.sync_config(config)
        await app.work_off()
        return summary
    with followed_here() as advance:
        return await app.collect_config(config_id, advance)


async def _trigger_there(client: ServiceClient, config_id: int, settings: Settings) -> CollectReport | Mapping[str, Any]:
    config = await client.admin("GET", f"/configs/{config_id}")
    ended = await ended_task(client, (await client.admin("POST", f"/configs/{config_id}/trigger"))["task_id"])
    if ended["task_type"] == INVENTORY_SYNC:
        summary: dict[str, Any] = ended["result"]
        return summary
    return report_of(ended, f"{masked_url(settings)}, by the service at {client.url}", config["timeframes"])


def _given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _split(given: list[str] | None) -> list[str] | None:
    return [name.strip() for names in given for name in names.split(",") if name.strip()] if given else None


def when(fields: Mapping[str, Any]) -> str:
    """The time of a config in a few words."""
    if fields["cron"] is not None:
        return f"{fields['cron']} ({fields['timezone']})"
    return f"every {fields['interval_minutes']} min"


def what(fields: Mapping[str, Any]) -> str:
    """What a config collects and when, in a few words."""
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
