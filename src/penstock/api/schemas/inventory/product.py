"""The inventory as the API, the WebSocket and the command line show it. Money is whole minor units with its currency; ids are CardTrader's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from pydantic import BaseModel, Field

from penstock.api.schemas.task import STATUS, Status, task_fields
from penstock.inventory.sync.snapshot import Counts, SnapshotState
from penstock.inventory.tables import NORMALISED, STAGED
from penstock.moment import iso, iso_or_none
from penstock.runs.run import RunState

if TYPE_CHECKING:
    from penstock.inventory.queries import Found
    from penstock.inventory.sync.shown import SyncRun

Kind = Literal["changed", "gone", "new", "returned"]

# Kept as the JSON text that was sent, and shown as what it says.
_RAW = ("properties", "uploaded_images")


class AccountShown(BaseModel):
    """A seller's account; its token is never shown. `products` are in the inventory as it was published last."""

    id: int
    name: str
    user_id: int = Field(description="CardTrader's number of the seller")
    created_at: str
    products: int = Field(description="0 before the first sync")
    published_at: str | None


class SyncCounts(BaseModel):
    """The snapshot against the published inventory, in products; zeros until it was compared. Rejected are rows."""

    new: int
    changed: int
    unchanged: int
    gone: int
    returned: int
    rejected: int
    unmapped: int


class Sync(BaseModel):
    """A sync. `held`: it waits for a decision now; `state` is what became of its snapshot, null until there is one."""

    task_id: str
    account_id: int
    dry_run: bool
    status: Status
    phase: Literal["export", "parse", "check", "publish"] | None = Field(
        description="null before it has begun"
    )
    progress: int = Field(ge=0, le=100)
    message: str
    bytes: int = Field(description="received, as they came over the wire")
    rows: int = Field(description="products read")
    rows_per_second: float
    eta_seconds: float | None
    counts: SyncCounts
    held: bool
    state: SnapshotState | None
    suspicions: dict[str, str] = Field(
        description="reason: a sentence; why it was held, or would be"
    )
    unidentified: int = Field(
        description="of the rejected rows those whose id cannot be read either: with one, nothing is gone"
    )
    unmarked: int = Field(description="products that are missing and stay, because of these rows")
    unread: str | None = Field(
        description="what rows that could not be read mean for the inventory, a sentence; null without any"
    )
    error: str | None
    result: dict[str, Any] | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class _Exported(BaseModel):
    """What an export says of a product, and what is read out of its properties."""

    product_id: int
    name_en: str
    quantity: int
    price_cents: int
    price_currency: str
    blueprint_id: int
    user_id: int
    game_id: int
    category_id: int
    properties: dict[str, Any] = Field(description="as they were sent")
    bundle_size: int
    bundled_quantity: int | None
    description: str | None
    user_data_field: str | None
    tag: str | None
    graded: bool | str | None = Field(description="whether it is graded, or its grade, as text")
    uploaded_images: Any = Field(description="as they were sent")
    condition: str | None
    language: str | None
    foil: bool | None
    signed: bool | None
    altered: bool | None


class DiffItem(_Exported):
    """A product as it would be; a gone one as it is."""

    kind: Kind
    changes: dict[str, tuple[Any, Any]] = Field(description="column: its old and its new value")


class ProductShown(_Exported):
    """A product of the inventory; `sku` is the row of the user's own catalogue that its blueprint is mapped to."""

    account_id: int
    sku: str | None
    expansion_id: int | None = Field(
        description="null until the blueprint is known, or when it belongs to none"
    )
    external_stock_id: str
    gone_at: str | None


class HistoryItem(BaseModel):
    """What a sync changed of a product; its first import leaves nothing."""

    id: int
    account_id: int
    product_id: int
    kind: Kind
    changed_at: str
    changes: dict[str, tuple[Any, Any]] = Field(description="column: its old and its new value")
    task_id: str | None = Field(description="the sync")


class GameShown(BaseModel):
    """A game."""

    id: int
    name: str
    display_name: str | None


class ExpansionShown(BaseModel):
    """An expansion of a game."""

    id: int
    game_id: int
    code: str
    name: str


class BlueprintShown(BaseModel):
    """What products are examples of, and the row of the user's own catalogue that it is mapped to."""

    id: int
    game_id: int
    category_id: int
    expansion_id: int | None = Field(description="null when it belongs to none")
    name: str
    version: str | None
    image_url: str | None
    scryfall_id: str | None
    tcgplayer_id: str | None
    cardmarket_ids: list[str]
    set_code: str | None
    collector_number: str | None
    sku: str | None


class UnmappedItem(BaseModel):
    """A blueprint that is not mapped; `products` of it are in the inventory, and `name` is that of one of them."""

    blueprint_id: int
    name: str
    products: int


def account_fields(row: Found) -> dict[str, Any]:
    """The fields of an AccountShown, of a row of penstock.inventory.queries.accounts; JSON values only."""
    return {
        "id": row.id,
        "name": row.name,
        "user_id": row.user_id,
        "created_at": iso(row.created_at),
        "products": row.products or 0,
        "published_at": iso_or_none(row.published_at),
    }


def sync_fields(sync: SyncRun) -> dict[str, Any]:
    """The fields of a Sync, JSON values only."""
    run, begun = sync.run, sync.begun
    state = begun and begun.state
    counts = Counts.of(begun) if begun and state else Counts()
    shown = task_fields(run)
    return {
        "task_id": run.task_id,
        "account_id": sync.account_id,
        "dry_run": sync.dry_run,
        "status": STATUS[run.state],
        "phase": begun and begun.phase,
        "progress": run.progress,
        "message": shown["message"],
        "bytes": begun.bytes if begun else 0,
        "rows": begun.rows if begun else 0,
        "rows_per_second": begun.rows_per_second if begun else 0.0,
        "eta_seconds": begun.eta_seconds if begun and run.state is RunState.RUNNING else None,
        "counts": counts.compared,
        "held": state == SnapshotState.HELD,
        "state": state,
        "suspicions": begun.suspicions or {} if begun else {},
        "unidentified": counts.unidentified,
        "unmarked": counts.unmarked,
        "unread": counts.unread,
        "error": run.error,
        "result": run.result,
        "created_at": shown["created_at"],
        "started_at": shown["started_at"],
        "finished_at": shown["completed_at"],
    }


def diff_fields(row: Found) -> dict[str, Any]:
    """The fields of a DiffItem, of a row of penstock.inventory.queries.diff; for msgspec's encoder, since some values are JSON already."""
    return {"kind": row.kind} | _exported(row) | {"changes": row.changes}


def product_fields(row: Found) -> dict[str, Any]:
    """The fields of a ProductShown, of a row of penstock.inventory.queries.products; for msgspec's encoder, as above."""
    own = {
        name: getattr(row, name)
        for name in ("account_id", "sku", "expansion_id", "external_stock_id")
    }
    return _exported(row) | own | {"gone_at": iso_or_none(row.gone_at)}


def history_fields(row: Found, task_id: str | None) -> dict[str, Any]:
    """The fields of a HistoryItem, of a row of penstock.inventory.queries.history and the task of its run; JSON values only."""
    shown = {name: getattr(row, name) for name in ("id", "account_id", "product_id", "kind")}
    return shown | {"changed_at": iso(row.changed_at), "changes": row.changes, "task_id": task_id}


def game_fields(row: Found) -> dict[str, Any]:
    """The fields of a GameShown."""
    return _named(row, GameShown)


def expansion_fields(row: Found) -> dict[str, Any]:
    """The fields of an ExpansionShown."""
    return _named(row, ExpansionShown)


def blueprint_fields(row: Found) -> dict[str, Any]:
    """The fields of a BlueprintShown."""
    return _named(row, BlueprintShown) | {"cardmarket_ids": row.cardmarket_ids or []}


def unmapped_fields(row: Found) -> dict[str, Any]:
    """The fields of an UnmappedItem, of a row of penstock.inventory.queries.unmapped."""
    return _named(row, UnmappedItem)


def _named(row: Found, model: type[BaseModel]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in model.model_fields}


def _exported(row: Found) -> dict[str, Any]:
    # Not decoded: a number that JSON can write and Python cannot hold has to come out as it came in.
    return {
        name: msgspec.Raw(getattr(row, name).encode()) if name in _RAW else getattr(row, name)
        for name in (*STAGED, *NORMALISED)
    }
