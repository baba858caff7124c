"""`penstock simulate`: stands in for Binance and CardTrader on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.shown.terminal import err, time_or_none
from penstock.cli.signals import run, until_signal

if TYPE_CHECKING:
    from penstock.simulator.server import SimulatorSettings


def simulate(
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65_535, metavar="PORT", help="The port to listen on; 0 takes a free one."
        ),
    ] = 8100,
    seed: Annotated[int, typer.Option(metavar="N", help="The seed of all generated data.")] = 1,
    symbols: Annotated[int, typer.Option(metavar="N", help="Number of listed symbols.")] = 400,
    now: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="The start of its clock, such as 2025-01-31.",
            show_default="real time, or the end of the recordings",
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(metavar="X", help="Simulated seconds per real second.")
    ] = 1.0,
    limits: Annotated[
        bool,
        typer.Option("--limits/--no-limits", help="Enforce the exchange's request limits."),
    ] = True,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT",
            help="NAME:key=value,… active from the start; repeatable.",
        ),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Answer from recorded data in this folder."),
    ] = None,
    replay_only: Annotated[
        bool, typer.Option("--replay-only", help="List only recorded symbols.")
    ] = False,
    account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOKEN[:N]",
            help="A CardTrader seller with N products; repeatable.",
            show_default="demo",
        ),
    ] = None,
    products: Annotated[
        int, typer.Option(metavar="N", help="Products of a seller without its own N.")
    ] = 250_000,
) -> None:
    """Act as Binance and CardTrader, until Ctrl-C.

    The data is generated or recorded, with faults on demand.

    Examples:
      penstock simulate
      penstock simulate --now 2025-01-31 --speed 60 --fault server_error:probability=0.1
    """
    from penstock.simulator.server import SimulatorSettings  # noqa: PLC0415 - a slow import

    settings = SimulatorSettings(
        seed=seed,
        symbols=symbols,
        now_ms=time_or_none(now, field="now"),
        speed=speed,
        limits=limits,
        faults=tuple(fault or ()),
        replay=replay,
        replay_only=replay_only,
        accounts=tuple(account or ("demo",)),
        products=products,
    )
    run(_simulate(settings, port))


async def _simulate(settings: SimulatorSettings, port: int) -> None:
    from penstock.simulator.server import running  # noqa: PLC0415 - as above

    async with running(settings, port=port, tell=err.print) as url:
        settings_of_both = f"PENSTOCK_BINANCE_URL={url} PENSTOCK_CARDTRADER_URL={url}"
        await until_signal(
            f"The simulator answers at {url} (press Ctrl-C to stop)\n"
            f"Point Penstock at it with {settings_of_both}"
        )
