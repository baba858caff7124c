"""The service whose spending is counted, in a thread; the client is the test's own thread."""

from __future__ import annotations

import contextlib
import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.access.scopes import Scope
from penstock.access.vault import new_key
from penstock.api.server import ServeOptions, listening, running
from penstock.app import App, open_app
from tests.api.steps import Steps, steps_on_the_loop
from tests.budget.calls import TASKS, Door
from tests.budget.spending import Spending, logged
from tests.budget.threads import in_thread
from tests.simulated import settings_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from penstock.settings import Settings

_PAGES = ("/openapi.json", "/livez", "/readyz", "/metrics", f"{TASKS}?limit=500", f"{TASKS}/active")


@dataclass(frozen=True)
class Served:
    """A service, the door to it, and the steps of its loop."""

    app: App
    door: Door
    steps: Steps


@contextlib.asynccontextmanager
async def _opened(settings: Settings, options: ServeOptions) -> AsyncIterator[Served]:
    with listening(settings) as door:
        async with open_app(settings, serving=door.url) as app, app.working():
            tokens: dict[str, str] = {}
            for scope in Scope:
                _, tokens[str(scope)] = await app.tokens.create("test", scope, expires_in_s=None)
            async with running(app, door, options):
                with steps_on_the_loop() as steps:
                    yield Served(app, Door(door.url, tokens), steps)


def settings_of(database_url: str, provider_url: str, folder: Path, **given: Any) -> Settings:
    """Settings of a service that gives up soon and refuses nobody for asking often."""
    quick = {
        "request_deadline_s": 20.0,
        "request_idle_s": 20.0,
        "request_attempts": 1,
        "run_attempts": 1,
        "export_attempts": 1,
        "export_first_byte_s": 5.0,
        "requests_per_minute": 1_000_000,
    }
    return settings_for(
        database_url,
        provider_url,
        port=0,
        secret_key=new_key(),
        export_folder=folder / "exports",
        **(quick | given),
    )


@contextlib.contextmanager
def spending(settings: Settings, options: ServeOptions | None = None) -> Iterator[Spending]:
    """A warm service, whose spending is counted."""
    with (
        logged() as log,
        in_thread(_opened(settings, options or ServeOptions(ping_s=600)), "service") as service,
    ):
        for page in _PAGES:
            assert service.value.door.call("GET", page).status == 200, page
        try:
            yield Spending(service, log)
        finally:
            tracemalloc.stop()


def assert_heals(settings: Settings) -> None:
    """Assert that a restart heals whatever a service was left with."""
    with in_thread(_opened(settings, ServeOptions(ping_s=600)), "service") as threaded:
        threaded.value.door.assert_healed()
