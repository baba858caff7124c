"""The runs `catalogue_refresh`: look up the blueprints of an account's products, and map them.

An export has only the ids of blueprints, and CardTrader lists blueprints by expansion. So the
expansions in which the seller has products are asked one by one until every id is known: first
those of which nothing is known yet, and at the end of each round the blueprints without an
expansion. Ids that are nowhere listed are kept as unlisted: for a day no sync starts a refresh
because of them, so that not every sync asks all expansions again.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from penstock.errors import ConflictError, FencedError, PenstockError, SourceError
from penstock.inventory.catalogue.rows import BlueprintRow
from penstock.inventory.forms import RowReader
from penstock.inventory.queries.catalogue import known_expansions, unknown_blueprints
from penstock.runs.context import Shown
from penstock.runs.run import LogNote, Priority, Submission

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from penstock.collection.reader import Reader
    from penstock.inventory.source import (
        Blueprint,
        Category,
        Expansion,
        Game,
        InventorySource,
        SellerAccount,
    )
    from penstock.inventory.store import InventoryStore, StoredAccount
    from penstock.runs.context import RunContext

_log = structlog.stdlib.get_logger()

CATALOGUE_REFRESH = "catalogue_refresh"

_AT_ONCE = 4
_MOST_UNKNOWN = 100_000


class BlueprintStore(Protocol):
    """Where CardTrader's catalogue goes; rows replace those with the same id."""

    async def put_games(self, context: RunContext, games: Sequence[Game]) -> None:
        """Put the games that CardTrader deals in."""

    async def put_categories(self, context: RunContext, categories: Sequence[Category]) -> None:
        """Put categories with the properties of their products."""

    async def put_expansions(self, context: RunContext, expansions: Sequence[Expansion]) -> None:
        """Put expansions; blueprints put later get their codes as set codes."""

    async def put_blueprints(self, context: RunContext, blueprints: Sequence[BlueprintRow]) -> None:
        """Put blueprints with their references; the next `map` maps them."""

    async def keep_unlisted(self, context: RunContext, blueprint_ids: Collection[int]) -> None:
        """Note that CardTrader does not list these blueprints."""

    async def map(self, context: RunContext) -> int:
        """Map all blueprints again; gives how many are mapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRefreshed:
    """What came of a refresh.

    `expansions` were asked for their `blueprints`, and `failed` of them did not answer. `mapped`
    counts all mapped blueprints, `unknown` the ids that are still unknown.
    """

    games: int
    expansions: int
    failed: int
    blueprints: int
    mapped: int
    unknown: int

    def summary(self) -> Mapping[str, object]:
        """The result of the run, as JSON values."""
        return asdict(self)


class Submitter(Protocol):
    """The ledger, or the context of a run that submits another one."""

    async def submit(self, submission: Submission) -> uuid.UUID:
        """Record a queued run; ConflictError names the run that holds its resources."""


@dataclass(frozen=True, slots=True)
class CatalogueRefreshes:
    """Submits refreshes, and does the work of their runs."""

    source: InventorySource
    store: InventoryStore
    blueprints: BlueprintStore
    reader: Reader

    async def published(self, submitter: Submitter, account: StoredAccount) -> None:
        """Submit a refresh if products of an account have unknown blueprints.

        A sync does not fail because of it.
        """
        try:
            if await self.reader.read(
                lambda connection: unknown_blueprints(connection, account.id, limit=1)
            ):
                await submitter.submit(_submission(account))
        except FencedError:
            raise
        except ConflictError:
            # The running refresh may not know this account; then the next sync submits one.
            return
        except PenstockError as error:
            _log.warning(
                "the catalogue cannot be refreshed now", account=account.name, error=str(error)
            )

    async def refresh(self, context: RunContext) -> CatalogueRefreshed:
        """The work of a refresh."""
        run = context.run
        account = await self.store.account(int(str(run.params["account_id"])))
        unknown = await self.reader.read(
            lambda connection: unknown_blueprints(connection, account.id, limit=_MOST_UNKNOWN)
        )
        known = await self.reader.read(known_expansions)
        async with self.source.account(account.token) as seller:
            result = await _Refresh(context, seller, self.blueprints, set(unknown)).work(known)
        run.notes[str(run.params.get("account", ""))] = LogNote(
            records=result.blueprints, metadata=dict(result.summary())
        )
        return result


def _submission(account: StoredAccount) -> Submission:
    return Submission(
        kind=CATALOGUE_REFRESH,
        params={"account_id": account.id, "account": account.name},
        resources=["catalogue:cardtrader"],
        priority=Priority.MEDIUM,
        job_name="refresh_catalogue",
    )


class _Refresh:
    """One start of one run."""

    def __init__(
        self, context: RunContext, seller: SellerAccount, store: BlueprintStore, unknown: set[int]
    ) -> None:
        self._context = context
        self._seller = seller
        self._store = store
        self._unknown = unknown
        self._codes: Mapping[int, str] = {}
        self._errors: list[SourceError] = []
        self._expansions = self._asked = self._answered = self._blueprints = 0

    async def work(self, known: Collection[int | None]) -> CatalogueRefreshed:
        """Look up everything else first, then blueprints; `known` expansions are asked last.

        SourceError when no expansion has answered.
        """
        games = await self._put_lists()
        stocked = await self._seller.expansions(stocked=True)
        self._expansions = len(stocked)
        for again in (False, True):
            await self._look_up([one for one in stocked if (one.id in known) is again])
            if (None in known) is again:
                await self._look_up_without_expansion()
        if self._errors and not self._answered:
            raise self._errors[-1]
        if self._unknown and not self._errors:
            await self._store.keep_unlisted(self._context, self._unknown)
        return CatalogueRefreshed(
            games=games,
            expansions=self._asked,
            failed=len(self._errors),
            blueprints=self._blueprints,
            mapped=await self._store.map(self._context),
            unknown=len(self._unknown),
        )

    async def _put_lists(self) -> int:
        games = await self._seller.games()
        await self._store.put_games(self._context, games)
        await self._store.put_categories(self._context, await self._seller.categories())
        expansions = await self._seller.expansions()
        await self._store.put_expansions(self._context, expansions)
        self._codes = {one.id: one.code for one in expansions}
        return len(games)

    async def _look_up(self, expansions: Sequence[Expansion]) -> None:
        """Ask a few at a time, until no id is unknown or none of a few answers."""
        if self._errors:
            # An expansion that did not answer may have what the others lack.
            return
        for first in range(0, len(expansions), _AT_ONCE):
            if not self._unknown:
                break
            some = expansions[first : first + _AT_ONCE]
            answers = await asyncio.gather(*(self._answer(one) for one in some))
            await self._put(answers)
            self._asked += len(some)
            await self._show()
            if answers.count(None) == _AT_ONCE:
                break

    async def _look_up_without_expansion(self) -> None:
        if self._unknown and not self._errors:
            await self._put([await self._answer(None)])

    async def _answer(self, expansion: Expansion | None) -> Sequence[Blueprint] | None:
        """The blueprints of an expansion; None if it does not answer, and its error is kept."""
        try:
            found = await self._seller.blueprints(None if expansion is None else expansion.id)
        except SourceError as error:
            code = "none" if expansion is None else expansion.code
            _log.warning(
                "the blueprints of an expansion cannot be looked up",
                expansion=code,
                error=str(error),
            )
            self._errors.append(error)
            return None
        self._answered += 1
        return found

    async def _put(self, answers: Iterable[Sequence[Blueprint] | None]) -> None:
        blueprints = [
            blueprint_of(one, self._codes.get(one.expansion_id or 0) or None)
            for found in answers
            for one in found or ()
        ]
        await self._store.put_blueprints(self._context, blueprints)
        self._blueprints += len(blueprints)
        self._unknown.difference_update(one.id for one in blueprints)

    async def _show(self) -> None:
        message = f"Looked up {self._asked} of {self._expansions} expansions"
        await self._context.show(Shown(100 * self._asked // self._expansions, message))


def blueprint_of(sent: Blueprint, set_code: str | None) -> BlueprintRow:
    """A blueprint as it is stored, with the collector number of its fixed properties."""
    return BlueprintRow(
        id=sent.id,
        game_id=sent.game_id,
        category_id=sent.category_id,
        expansion_id=sent.expansion_id,
        name=sent.name,
        version=sent.version,
        image_url=sent.image_url,
        scryfall_id=sent.scryfall_id,
        tcgplayer_id=None if sent.tcg_player_id is None else str(sent.tcg_player_id),
        cardmarket_ids=[str(one) for one in sent.cardmarket_ids],
        set_code=set_code,
        collector_number=_collector_number(sent.fixed_properties),
    )


def _collector_number(fixed: msgspec.Raw) -> str | None:
    """Text that may have leading zeros, letters and slashes; sealed goods have none."""
    try:
        return _fixed.read(fixed).collector_number or None
    except msgspec.DecodeError:
        return None


class _Fixed(msgspec.Struct):
    collector_number: str | None = None


_fixed = RowReader(_Fixed)
