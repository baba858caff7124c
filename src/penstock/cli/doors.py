"""Where the commands change configs: in the service that owns the database while there is one, else in this process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from penstock.api.schemas.config import applied_fields, config_fields, preview_fields
from penstock.cli.client import ServiceClient
from penstock.cli.reached import reached
from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from penstock.api.schemas.config import ApplyConfigs, ConfigChange, NewConfig
    from penstock.app import App
    from penstock.settings import Settings

M = TypeVar("M", bound=BaseModel)


class Door(Protocol):
    """Configs as JSON, wherever they are changed."""

    async def add(self, new: NewConfig) -> dict[str, Any]:
        """The new config."""

    async def preview(self, new: NewConfig) -> dict[str, Any]:
        """The next runs of a config that is not added."""

    async def change(self, config_id: int, changes: ConfigChange) -> dict[str, Any]:
        """The changed config."""

    async def remove(self, config_id: int) -> None:
        """Delete it."""

    async def apply(self, order: ApplyConfigs) -> dict[str, Any]:
        """What was done, or would be."""


class Here:
    """In this process, which owns the database for the time."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def add(self, new: NewConfig) -> dict[str, Any]:
        """See Door."""
        return config_fields(await self.app.configs.add(new.given()))

    async def preview(self, new: NewConfig) -> dict[str, Any]:
        """See Door."""
        return preview_fields(await self.app.configs.wanted(new.given()))

    async def change(self, config_id: int, changes: ConfigChange) -> dict[str, Any]:
        """See Door."""
        return config_fields(await self.app.configs.change(config_id, changes.given()))

    async def remove(self, config_id: int) -> None:
        """See Door."""
        await self.app.configs.store.remove(config_id)

    async def apply(self, order: ApplyConfigs) -> dict[str, Any]:
        """See Door."""
        applied = await self.app.configs.apply([one.given() for one in order.configs], prune=order.prune, dry_run=order.dry_run)
        return applied_fields(applied, dry_run=order.dry_run)


class There:
    """In the service."""

    def __init__(self, client: ServiceClient) -> None:
        self.client = client

    async def add(self, new: NewConfig) -> dict[str, Any]:
        """See Door."""
        return await self._call("POST", "/configs", new.given())

    async def preview(self, new: NewConfig) -> dict[str, Any]:
        """See Door."""
        return await self._call("POST", "/preview", new.given())

    async def change(self, config_id: int, changes: ConfigChange) -> dict[str, Any]:
        """See Door."""
        return await self._call("PUT", f"/configs/{config_id}", changes.given())

    async def remove(self, config_id: int) -> None:
        """See Door."""
        await self.client.admin("DELETE", f"/configs/{config_id}")

    async def apply(self, order: ApplyConfigs) -> dict[str, Any]:
        """See Door."""
        return await self._call("POST", "/apply", order.model_dump(exclude_unset=True))

    async def _call(self, method: str, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        answer: dict[str, Any] = await self.client.admin(method, path, body)
        return answer


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Here | There]:
    """The door while the block runs."""
    async with reached(settings) as side:
        yield There(side) if isinstance(side, ServiceClient) else Here(side)


def checked(model: type[M], fields: object) -> M:
    """The fields as the API takes them; InvalidInputError names the one that is wrong."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"]) or "file"
        raise InvalidInputError(f"{field}: {fault['msg']}", field=field) from None
