"""`penstock simulate`: a Binance-shaped exchange and a CardTrader-shaped marketplace on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.shown.terminal import err, parse_time
from penstock.cli.signals import run, until_signal

if TYPE_CHECKING:
    from penstock.simulator.server import SimulatorSettings


def simulate(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", help="The port; 0 takes a free one.")
    ] = 8100,
    seed: Annotated[int, typer.Option(metavar="N", help="Decides all generated data.")] = 1,
    symbols: Annotated[int, typer.Option(metavar="N", help="How many symbols are listed.")] = 400,
    now: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Where its clock starts, such as 2025-01-31.",
            show_default="real time, or the end of the recordings",
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(metavar="X", help="How many of its seconds pass in a real one.")
    ] = 1.0,
    limits: Annotated[
        bool,
        typer.Option(
            "--limits/--no-limits", metavar="", help="Refuse what is over the exchange's limits."
        ),
    ] = True,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT",
            help="NAME:key=value,… on from the start; may be repeated.",
            show_default=False,
        ),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Answer from the recorded data in it.", show_default=False
        ),
    ] = None,
    replay_only: Annotated[
        bool, typer.Option("--replay-only", metavar="", help="List nothing but what was recorded.")
    ] = False,
    account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOKEN[:N]",
            help="A seller on CardTrader, with N products; may be repeated.",
            show_default="demo",
        ),
    ] = None,
    products: Annotated[
        int, typer.Option(metavar="N", help="How many products a seller has.")
    ] = 250_000,
) -> None:
    """Answer as Binance and CardTrader do, until Ctrl-C: generated or recorded data, with faults on demand."""
    from penstock.simulator.server import SimulatorSettings  # noqa: PLC0415 - a web server, which most commands need not wait for

    settings = SimulatorSettings(
        seed=seed,
        symbols=symbols,
        now_ms=None if now is None else parse_time(now, field="now"),
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
        err.print(
            f"The simulator answers at {url}; point Penstock at it with {settings_of_both} (Ctrl-C ends it)"
        )
        await until_signal()
