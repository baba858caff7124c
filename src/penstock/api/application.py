"""The application: all routes over an opened `App`, and what they use."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import FastAPI

from penstock import __version__
from penstock.api.dashboard import add_pages
from penstock.api.document import DESCRIPTION, described, document_of
from penstock.api.guard.hosts import is_loopback
from penstock.api.guard.known import KnownTokens, Own
from penstock.api.live.feeds.alerts import AlertFeed
from penstock.api.live.feeds.candles import CandleFeed
from penstock.api.live.feeds.configs import ConfigFeed
from penstock.api.live.feeds.syncs import SyncFeed
from penstock.api.live.feeds.tasks import TaskFeed
from penstock.api.live.hub import Hub, HubOptions
from penstock.api.live.overview import Overview
from penstock.api.metrics.loop_lag import LoopLag
from penstock.api.metrics.scrape import Metrics
from penstock.api.routes.decisions import Decisions
from penstock.api.routes.index import EVERY, modules_of, router_of
from penstock.api.routes.parts import StoreReader, Tasks
from penstock.api.routes.upload import Uploads
from penstock.api.schemas import problem
from penstock.domains.inventory import InventoryParts
from penstock.domains.market import MarketParts
from penstock.store.sizes import SqlSizes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from penstock.api.live.hub import AnyFeed
    from penstock.app import App
    from penstock.store.write.runs.ledger import SqlRunLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """`decision_s`: how long the client of a decision on a sync waits; None: to its end.

    `own_token` is what processes of our user may send instead of a token that was created, and
    `own_key` what a page of theirs exchanges for it, once.
    """

    hub: HubOptions = field(default_factory=HubOptions)
    decision_s: float | None = 5.0
    own_token: str | None = None
    own_key: str | None = None


def create_api(
    app: App, ledger: SqlRunLedger, options: ApiOptions, modules: Sequence[str] = EVERY
) -> FastAPI:
    """The API over an opened application; runs are submitted to the ledger.

    `modules` are those of `penstock.api.routes` that it has routes of.
    """
    lag = LoopLag()
    hub = Hub(app.database, _feeds(app), options.hub)
    overview = Overview(app)
    known = _known_tokens(app, options)

    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        async with (
            lag.measured(),
            app.database.listening(),
            hub.running(),
            overview.running(),
            known.running(),
        ):
            yield

    api = FastAPI(
        title="Penstock",
        description=DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        routes=router_of(*modules).routes,
    )
    api.state.modules = {*modules}
    parts = (
        app.alert_targets,
        app.configs,
        app.domains,
        app.executor,
        app.health,
        app.pauses,
        app.runs,
        app.scheduler,
        app.settings,
        app.tokens,
        hub,
        known,
        lag,
        overview,
        Decisions(options.decision_s),
        Metrics(app, lag, hub),
        SqlSizes(app.database),
        StoreReader(app.database),
        Tasks(ledger, overview),
        Uploads(),
    )
    api.state.parts = {type(part): part for part in parts} | app.uses
    problem.install(api)
    api.openapi = described(api)  # type: ignore[method-assign] # the way that FastAPI documents
    api.add_route("/openapi.json", document_of(api), include_in_schema=False)
    add_pages(api)
    return api


def add_routes(api: FastAPI, path: str) -> None:
    """Add the routes that may answer a path to an API that was created without all routes."""
    for module in modules_of(path):
        if module not in api.state.modules:
            api.state.modules.add(module)
            api.include_router(router_of(module))


def _feeds(app: App) -> list[AnyFeed]:
    """What clients of the WebSocket can follow."""
    return [
        CandleFeed(app.of(MarketParts).runs.configured.exchange),
        TaskFeed(app.runs),
        SyncFeed(app.of(InventoryParts).syncs),
        AlertFeed(),
        ConfigFeed(),
    ]


def _known_tokens(app: App, options: ApiOptions) -> KnownTokens:
    secret = app.settings.admin_token
    admin_token = secret.get_secret_value() if secret else None
    ours = Own(os.geteuid(), options.own_token, options.own_key)
    own = ours if is_loopback(app.settings.host) else None
    return KnownTokens(app.tokens, admin_token=admin_token, own=own)
