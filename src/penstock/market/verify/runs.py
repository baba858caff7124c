"""Verify as a kind of run: an order becomes a submission, a run becomes work."""

from __future__ import annotations

import secrets
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from penstock.market.verify.order import VerifyOrder
from penstock.market.verify.stored import find_stored
from penstock.market.verify.work import Verification
from penstock.runs.run import LogNote, Submission

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.market.verify.report import VerifyResult
    from penstock.market.verify.stored import Stored
    from penstock.market.verify.work import VerifyParts
    from penstock.runs.context import RunContext

VERIFY = "verify"
_SEEDS = 2**31


class VerifyRuns:
    """Makes submissions of orders, and does the work of their runs."""

    def __init__(self, parts: VerifyParts) -> None:
        self._parts = parts

    async def submission(self, order: VerifyOrder) -> Submission:
        """The run of an order; InvalidInputError for unknown names, NotFoundError without data."""
        order.refuse_bad()
        found = await self._find(order)
        if order.asks:
            for exchange in {stored.key.instrument.exchange for stored in found}:
                await self._parts.source_of(exchange)
        seed = secrets.randbelow(_SEEDS) if order.seed is None else order.seed
        series = [stored.id for stored in found]
        return Submission(
            kind=VERIFY,
            params={**asdict(order), "seed": seed, "series": series},
            # A run that only reads is in nobody's way.
            resources=[stored.key.resource for stored in found] if order.repair else (),
            job_name=VERIFY,
            asked=asdict(order),
        )

    async def work(self, context: RunContext) -> VerifyResult:
        """The work of a verification."""
        run = context.run
        params: Mapping[str, Any] = run.params
        order = VerifyOrder(**{field.name: params[field.name] for field in fields(VerifyOrder)})
        claimed = set(params["series"])
        series = [stored for stored in await self._find(order) if stored.id in claimed]
        result = await Verification(context, self._parts, order, series).verify()
        summary = result.summary()
        run.notes[""] = LogNote(
            metadata={
                name: summary[name]
                for name in ("candles", "series", "series_wrong", "wrong", "told", "mended")
            }
        )
        return result

    async def _find(self, order: VerifyOrder) -> list[Stored]:
        return await self._parts.reader.read(lambda connection: find_stored(connection, order))
