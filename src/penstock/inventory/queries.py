"""What can be read of the inventory domain: the one reader behind the API, the CLI and the dashboard.

Lists are pages: what comes behind a cursor (the key of the last row seen), in the order of that key. Times are ms, prices minor units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import and_, except_, func, literal, select, tuple_

from penstock.columns import read_clock
from penstock.errors import ConflictError, InvalidInputError, NotFoundError
from penstock.inventory.sync.snapshot import SnapshotState
from penstock.inventory.tables import (
    account,
    blueprint,
    catalogue,
    expansion,
    game,
    inventory_sync,
    mapping,
    product,
    product_diff,
    product_history,
    snapshot,
    unlisted_blueprint,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

T = TypeVar("T")

_DAY_MS = 86_400_000
# A row of one of the questions below, with the columns that its docstring names.
Found: TypeAlias = "Row[Any]"

_other = snapshot.alias("other")

SORTS = ("product_id", "name_en", "price_cents", "quantity")
# As many as one look for alerts names.
_MOST_STOPPED = 1_000
_PENDING = (SnapshotState.HELD, SnapshotState.DRY_RUN)
_KINDS = ("changed", "gone", "new", "returned")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductQuery:
    """Which products to list. None: whatever it is. `after` is the key of the last row seen, as `product_key` gives it.

    `sort` is one of SORTS, with a minus for descending; `q` is a part of the name, in any case of letters; `expansion` is an id.
    """

    limit: int
    account: int | None = None
    q: str | None = None
    game: int | None = None
    expansion: int | None = None
    condition: str | None = None
    language: str | None = None
    foil: bool | None = None
    mapped: bool | None = None
    gone: bool | None = None
    sort: str = "product_id"
    after: tuple[object, int, int] | None = None


def products(connection: Connection, query: ProductQuery) -> Sequence[Found]:
    """Rows of `product` with `sku` (None: not mapped) and `expansion_id`; InvalidInputError for an unknown sort."""
    return connection.execute(_products(query)).all()


def _products(query: ProductQuery) -> Select[Any]:
    order = _order(query)
    descending = query.sort.startswith("-")
    # What is sorted is narrow; the rest is looked up for the rows of the page alone.
    keys = (
        select(product.c.account_id, product.c.product_id)
        .where(*_filters(query))
        .limit(query.limit)
    )
    if query.after is not None:
        keys = keys.where(_behind(order, query, descending=descending))
    page = keys.order_by(*_directed(order, descending=descending)).subquery()
    return (
        select(product, catalogue.c.sku, blueprint.c.expansion_id)
        .join(
            page,
            and_(
                page.c.account_id == product.c.account_id, page.c.product_id == product.c.product_id
            ),
        )
        .outerjoin(mapping, mapping.c.blueprint_id == product.c.blueprint_id)
        .outerjoin(catalogue, catalogue.c.id == mapping.c.catalogue_id)
        .outerjoin(blueprint, blueprint.c.id == product.c.blueprint_id)
        .order_by(*_directed(order, descending=descending))
    )


def product_key(row: Found, sort: str) -> tuple[object, int, int]:
    """Where the page behind this row begins."""
    return getattr(row, sort.removeprefix("-")), row.account_id, row.product_id


def _order(query: ProductQuery) -> list[ColumnElement[Any]]:
    """Always ends with the key, so that no two rows are in the same place; what is the same in all rows would only keep an index from being used."""
    name = query.sort.removeprefix("-")
    if name not in SORTS:
        message = f"sort: {query.sort[:40]!r} is not known; use one of {', '.join(SORTS)}, with a minus in front for descending"
        raise InvalidInputError(message, field="sort")
    columns = [product.c[name], product.c.account_id, product.c.product_id]
    return [
        one
        for one in columns[name == "product_id" :]
        if query.account is None or one.name != "account_id"
    ]


def _directed(order: list[ColumnElement[Any]], *, descending: bool) -> list[ColumnElement[Any]]:
    return [one.desc() if descending else one.asc() for one in order]


def _behind(
    order: list[ColumnElement[Any]], query: ProductQuery, *, descending: bool
) -> ColumnElement[bool]:
    value, account_id, product_id = query.after or (None, 0, 0)
    last = {"account_id": account_id, "product_id": product_id, query.sort.removeprefix("-"): value}
    here, there = tuple_(*order), tuple_(*(literal(last[one.name], one.type) for one in order))
    return here < there if descending else here > there


def _filters(query: ProductQuery) -> list[ColumnElement[bool]]:
    equal = {
        product.c.account_id: query.account,
        product.c.game_id: query.game,
        product.c.condition: query.condition,
        product.c.language: query.language,
    }
    found: list[ColumnElement[bool]] = [
        column == value for column, value in equal.items() if value is not None
    ]
    if query.expansion is not None:
        found.append(
            product.c.blueprint_id.in_(
                select(blueprint.c.id).where(blueprint.c.expansion_id == query.expansion)
            )
        )
    if query.q:
        found.append(
            _lowered(product.c.name_en, query.q.lower()).contains(query.q.lower(), autoescape=True)
        )
    if query.foil is not None:
        found.append(product.c.foil.is_(query.foil))
    if query.mapped is not None:
        is_mapped = (
            select(mapping.c.blueprint_id)
            .where(mapping.c.blueprint_id == product.c.blueprint_id)
            .exists()
        )
        found.append(is_mapped if query.mapped else ~is_mapped)
    if query.gone is not None:
        found.append(product.c.gone_at.is_not(None) if query.gone else product.c.gone_at.is_(None))
    return found


def _lowered(name: ColumnElement[str], wanted: str) -> ColumnElement[str]:
    """The name with small letters where some are `wanted`: SQLite, and PostgreSQL under the locale C, know the capitals of ASCII alone."""
    lowered: ColumnElement[str] = func.lower(name)
    for letter in sorted(set(wanted)):
        if not letter.isascii() and letter.upper() != letter:
            lowered = func.replace(lowered, letter.upper(), letter)
    return lowered


def history(
    connection: Connection,
    product_id: int,
    *,
    account_id: int | None = None,
    before_id: int | None = None,
    limit: int,
) -> Sequence[Found]:
    """Who changed what of a product, the newest first; NotFoundError for a product that was never there."""
    # Account by account, for that is how the index begins.
    there = (
        select(product.c.product_id)
        .where(product.c.account_id == account.c.id, product.c.product_id == product_id)
        .exists()
    )
    known = select(account.c.id).where(there)
    owners = list(
        connection.scalars(known if account_id is None else known.where(account.c.id == account_id))
    )
    if not owners:
        message = f"product: there is no product {product_id}"
        raise NotFoundError(message)
    wanted = select(product_history).where(
        product_history.c.account_id.in_(owners), product_history.c.product_id == product_id
    )
    if before_id is not None:
        wanted = wanted.where(product_history.c.id < before_id)
    return connection.execute(wanted.order_by(product_history.c.id.desc()).limit(limit)).all()


def product_rows(connection: Connection, product_id: int) -> Sequence[Found]:
    """Rows of `product`, one for each account that has or had it."""
    # Account by account, as above.
    of_accounts = select(product).join(account, account.c.id == product.c.account_id)
    return connection.execute(
        of_accounts.where(product.c.product_id == product_id).order_by(product.c.account_id)
    ).all()


def accounts(connection: Connection) -> Sequence[Found]:
    """All accounts by name: id, name, user_id, created_at, and how many products are published. Never the token."""
    return connection.execute(_accounts().order_by(account.c.name)).all()


def account_row(connection: Connection, account_id: int) -> Found | None:
    """One of them."""
    return connection.execute(_accounts().where(account.c.id == account_id)).one_or_none()


def stopped_markings(connection: Connection) -> Sequence[Found]:
    """Accounts whose newest published snapshot had rows without an id: `name`, `unidentified`, `unmarked`."""
    wanted = _with_newest(
        select(account.c.name, snapshot.c.unidentified, snapshot.c.unmarked)
    ).where(snapshot.c.unidentified > 0)
    return connection.execute(wanted.order_by(account.c.name).limit(_MOST_STOPPED)).all()


def _accounts() -> Select[Any]:
    shown = [column for column in account.c if column.name != "token"]
    return _with_newest(select(*shown, snapshot.c.products, snapshot.c.published_at))


def _with_newest(wanted: Select[Any]) -> Select[Any]:
    """From accounts with the snapshot that each has published last."""
    newest = select(func.max(_other.c.id)).where(
        _other.c.account_id == account.c.id, _other.c.state == SnapshotState.PUBLISHED
    )
    return wanted.outerjoin_from(account, snapshot, snapshot.c.id == newest.scalar_subquery())


def account_ids(connection: Connection) -> dict[str, int]:
    """The ids of all accounts by name."""
    return {
        row.name: row.id
        for row in connection.execute(select(account.c.name, account.c.id).order_by(account.c.name))
    }


def hold_account(connection: Connection, name: str) -> None:
    """Keep the account from being renamed or deleted until the transaction ends; ConflictError when that has just happened."""
    if (
        connection.scalar(
            select(account.c.id).where(account.c.name == name).with_for_update(read=True)
        )
        is None
    ):
        message = f"account {name[:80]!r} was renamed or deleted just now; try again"
        raise ConflictError(message)


def sync(connection: Connection, run_id: int) -> Found | None:
    """How far the sync of a run is, with the counts and the state of the snapshot once it has one; None when it has not begun."""
    return connection.execute(_syncs().where(inventory_sync.c.run_id == run_id)).one_or_none()


def newest_sync(connection: Connection, account_id: int) -> Found | None:
    """The same of the newest sync of an account that has begun."""
    newest = (
        _syncs()
        .where(inventory_sync.c.account_id == account_id)
        .order_by(inventory_sync.c.run_id.desc())
    )
    return connection.execute(newest.limit(1)).one_or_none()


def undecided_run(connection: Connection, account_id: int) -> int | None:
    """The run that keeps a difference of this account, for a decision or as the answer of a dry run; a newer one replaces it, so there is one."""
    wanted = select(func.max(snapshot.c.run_id)).where(
        snapshot.c.account_id == account_id, snapshot.c.state.in_(_PENDING)
    )
    found: int | None = connection.scalar(wanted)
    return found


def _syncs() -> Select[Any]:
    newest = (
        select(func.max(_other.c.id))
        .where(_other.c.run_id == inventory_sync.c.run_id)
        .scalar_subquery()
    )
    counted = [column for column in snapshot.c if column.name not in {"id", "account_id", "run_id"}]
    return select(inventory_sync, snapshot.c.id.label("snapshot_id"), *counted).outerjoin_from(
        inventory_sync, snapshot, snapshot.c.id == newest
    )


def diff(
    connection: Connection,
    run_id: int,
    *,
    kind: str | None = None,
    after: tuple[str, int] | None = None,
    limit: int,
) -> Sequence[Found]:
    """What a run kept for a decision, by kind and product id, behind `after` (kind, product id).

    NotFoundError when it kept nothing, or that was decided or replaced; InvalidInputError for an unknown kind.
    """
    if kind is not None and kind not in _KINDS:
        message = f"kind: {kind[:40]!r} is not known; use one of {', '.join(_KINDS)}"
        raise InvalidInputError(message, field="kind")
    kept = connection.scalar(
        select(func.max(snapshot.c.id)).where(
            snapshot.c.run_id == run_id, snapshot.c.state.in_(_PENDING)
        )
    )
    if kept is None:
        message = (
            "this sync keeps no difference: it was published, decided, or replaced by a newer one"
        )
        raise NotFoundError(message)
    wanted = select(product_diff).where(product_diff.c.snapshot_id == kept)
    if kind is not None:
        wanted = wanted.where(product_diff.c.kind == kind)
    if after is not None:
        # Within one kind by the id alone: SQLite would sort the rest of it for each page.
        behind = (
            product_diff.c.product_id > after[1]
            if kind == after[0]
            else tuple_(product_diff.c.kind, product_diff.c.product_id) > after
        )
        wanted = wanted.where(behind)
    return connection.execute(
        wanted.order_by(product_diff.c.kind, product_diff.c.product_id).limit(limit)
    ).all()


def games(connection: Connection) -> Sequence[Found]:
    """All games."""
    return connection.execute(select(game).order_by(game.c.id)).all()


def expansions(
    connection: Connection, *, game_id: int | None = None, after_id: int = 0, limit: int
) -> Sequence[Found]:
    """Expansions by id."""
    wanted = (
        select(expansion).where(expansion.c.id > after_id).order_by(expansion.c.id).limit(limit)
    )
    return connection.execute(
        wanted if game_id is None else wanted.where(expansion.c.game_id == game_id)
    ).all()


def blueprints(
    connection: Connection, *, expansion_id: int | None = None, after_id: int = 0, limit: int
) -> Sequence[Found]:
    """Blueprints by id, with the `sku` they are mapped to."""
    wanted = (
        select(blueprint, catalogue.c.sku)
        .outerjoin(mapping, mapping.c.blueprint_id == blueprint.c.id)
        .outerjoin(catalogue, catalogue.c.id == mapping.c.catalogue_id)
        .where(blueprint.c.id > after_id)
        .order_by(blueprint.c.id)
        .limit(limit)
    )
    return connection.execute(
        wanted if expansion_id is None else wanted.where(blueprint.c.expansion_id == expansion_id)
    ).all()


def unmapped(
    connection: Connection, *, account_id: int | None = None, after_id: int = 0, limit: int
) -> Sequence[Found]:
    """Blueprints that products refer to and that are not mapped, by id: with a name and `products`, how many are not gone."""
    wanted = (
        select(
            product.c.blueprint_id,
            func.min(product.c.name_en).label("name"),
            func.count().label("products"),
        )
        .outerjoin(mapping, mapping.c.blueprint_id == product.c.blueprint_id)
        .where(
            and_(
                mapping.c.blueprint_id.is_(None),
                product.c.gone_at.is_(None),
                product.c.blueprint_id > after_id,
            )
        )
        .group_by(product.c.blueprint_id)
        .order_by(product.c.blueprint_id)
        .limit(limit)
    )
    return connection.execute(
        wanted if account_id is None else wanted.where(product.c.account_id == account_id)
    ).all()


def unknown_blueprints(connection: Connection, account_id: int, *, limit: int) -> list[int]:
    """Ids that products of an account's seller refer to, of which nothing is known, and for which CardTrader was not asked in vain within a day."""
    # A set of ids less two others: with joins a database that has not counted its rows yet looks each product up. An index holds all ids of a seller,
    # also those of products that are gone.
    seller = select(account.c.user_id).where(account.c.id == account_id).scalar_subquery()
    referred = select(product.c.blueprint_id).where(product.c.user_id == seller).distinct()
    unlisted = select(unlisted_blueprint.c.id).where(
        unlisted_blueprint.c.asked_at > read_clock(connection) - _DAY_MS
    )
    unknown = except_(referred, select(blueprint.c.id), unlisted).subquery()
    return list(
        connection.scalars(
            select(unknown.c.blueprint_id).order_by(unknown.c.blueprint_id).limit(limit)
        )
    )


def looked_up_expansions(connection: Connection) -> set[int | None]:
    """Ids of the expansions of which some blueprints are known; None when some are that belong to none."""
    return set(connection.scalars(select(blueprint.c.expansion_id).distinct()))
