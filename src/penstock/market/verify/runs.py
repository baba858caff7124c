"""Verify as a kind of run: an order becomes a submission, a run becomes work."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidInputError
from penstock.market.instrument import parse_timeframes
from penstock.market.verify.report import VerifyOptions
from penstock.market.verify.stored import END_OF_TIME, find_stored
from penstock.market.verify.work import Verification
from penstock.runs.run import LogNote, Submission

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from penstock.collection.reader import Reader
    from penstock.market.collect.collection import CollectOptions
    from penstock.market.collect.page import CandleStore
    from penstock.market.source import MarketSource
    from penstock.market.verify.report import VerifyResult
    from penstock.market.verify.stored import Checks
    from penstock.runs.context import RunContext

VERIFY = "verify"
_SEEDS = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOrder:
    """What to verify; without symbols, timeframes or an exchange, everything that is stored.

    `start` and `end` (ms) bound it. `against` is `none` or `rest`; `sample` limits that to so many
    pages, drawn with `seed`; `repair` mends what differs.
    """

    symbols: Sequence[str] | None = None
    timeframes: Sequence[str] | None = None
    exchange: str | None = None
    start: int | None = None
    end: int | None = None
    sample: int | None = None
    seed: int | None = None
    against: str = "none"
    repair: bool = False

    def refuse_bad(self) -> None:
        """InvalidInputError for what cannot be verified, whatever is stored."""
        if self.against == "archive":
            message = (
                "against: comparing with the exchange's archive is not available yet;"
                " use rest, which asks its API"
            )
            raise InvalidInputError(message, field="against")
        if self.against not in {"none", "rest"}:
            message = (
                f"against: {self.against[:40]!r} is not known; use rest to compare with the"
                " exchange's API, or none"
            )
            raise InvalidInputError(message, field="against")
        if self.sample is not None and self.against != "rest":
            message = (
                "sample: only a comparison with the exchange can be sampled;"
                " add against rest, or leave the sample out"
            )
            raise InvalidInputError(message, field="sample")
        if self.start is not None and self.end is not None and self.end <= self.start:
            message = "end: it is not after the start; give a later time"
            raise InvalidInputError(message, field="end")
        parse_timeframes(self.timeframes or (), field="timeframes")


class VerifyRuns:
    """Makes submissions of orders, and does the work of their runs."""

    def __init__(
        self,
        source_of: Callable[[str], Awaitable[MarketSource]],
        reader: Reader,
        store: CandleStore,
        checks: Checks,
        options: CollectOptions,
    ) -> None:
        self._source_of = source_of
        self._reader = reader
        self._store = store
        self._checks = checks
        self._options = options

    async def submission(
        self, order: VerifyOrder, *, idempotency_key: str | None = None
    ) -> Submission:
        """The run of an order; InvalidInputError for unknown names, NotFoundError without data."""
        order.refuse_bad()
        found = await self._reader.read(
            lambda connection: find_stored(
                connection,
                exchange=order.exchange,
                symbols=order.symbols,
                timeframes=order.timeframes,
            )
        )
        asks = order.against == "rest" or order.repair
        if asks:
            for exchange in {one.key.instrument.exchange for one in found}:
                await self._source_of(exchange)
        seed = secrets.randbelow(_SEEDS) if order.seed is None else order.seed
        return Submission(
            kind=VERIFY,
            params={**asdict(order), "seed": seed, "series": [one.id for one in found]},
            # A run that only reads is in nobody's way.
            resources=[one.key.resource for one in found] if order.repair else (),
            job_name=VERIFY,
            idempotency_key=idempotency_key,
            asked=asdict(order),
        )

    async def work(self, context: RunContext) -> VerifyResult:
        """The work of a verification."""
        run = context.run
        params: Mapping[str, Any] = run.params
        find = {name: params[name] for name in ("exchange", "symbols", "timeframes")}
        claimed = set(params["series"])
        found = await self._reader.read(lambda connection: find_stored(connection, **find))
        options = VerifyOptions(
            start=params["start"] or 0,
            end=END_OF_TIME if params["end"] is None else params["end"],
            rest=params["against"] == "rest",
            sample=params["sample"],
            seed=params["seed"],
            repair=params["repair"],
        )
        verification = Verification(
            context, self._reader, self._checks, self._store, self._options, self._source_of
        )
        result = await verification.verify([one for one in found if one.id in claimed], options)
        summary = result.summary()
        run.notes[""] = LogNote(
            metadata={
                name: summary[name]
                for name in ("candles", "series", "series_wrong", "wrong", "told", "mended")
            }
        )
        return result
