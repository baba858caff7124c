"""`penstock simulate`: a Binance-shaped exchange on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.terminal import err, parse_time
from penstock.simulator.server import SimulatorSettings, running


def simulate(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 takes a free one.")] = 8100,
    seed: Annotated[int, typer.Option(help="Decides all generated data.")] = 1,
    symbols: Annotated[int, typer.Option(help="How many symbols are listed.")] = 400,
    now: Annotated[str | None, typer.Option(help="Where its clock starts.  [default: real time]", show_default=False)] = None,
    speed: Annotated[float, typer.Option(help="How many of its seconds pass in a real one.")] = 1.0,
    limits: Annotated[bool, typer.Option("--limits/--no-limits", help="Refuse what is over the exchange's limits.")] = True,
    fault: Annotated[list[str] | None, typer.Option(help="NAME:key=value,… on from the start; may be repeated.", show_default=False)] = None,
    replay: Annotated[Path | None, typer.Option(help="Answer from recorded data in this folder.", show_default=False)] = None,
    replay_only: Annotated[bool, typer.Option("--replay-only", help="List nothing but what was recorded.")] = False,
) -> None:
    """Answer as Binance does, until Ctrl-C: generated or recorded data, with faults on demand (docs/simulator.md)."""
    settings = SimulatorSettings(
        seed=seed,
        symbols=symbols,
        now_ms=None if now is None else parse_time(now, field="now"),
        speed=speed,
        limits=limits,
        faults=tuple(fault or ()),
        replay=replay,
        replay_only=replay_only,
    )
    asyncio.run(_run(settings, port))


async def _run(settings: SimulatorSettings, port: int) -> None:
    async with running(settings, port=port) as url:
        err.print(f"The simulator answers at {url}; point Penstock at it with PENSTOCK_BINANCE_URL={url} (Ctrl-C ends it)")
        await asyncio.Event().wait()
