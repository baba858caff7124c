"""CardTrader's catalogue, and what is mapped of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import except_, func, select

from penstock.columns import contains, if_given, read_clock
from penstock.inventory.tables import (
    account,
    blueprint,
    catalogue,
    category,
    expansion,
    game,
    mapping,
    product,
    unlisted_blueprint,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from penstock.inventory.queries import Found

_DAY_MS = 86_400_000


def list_games(connection: Connection) -> Sequence[Found]:
    """All games."""
    return connection.execute(select(game).order_by(game.c.id)).all()


def property_values(
    connection: Connection, *, game_id: int | None = None
) -> tuple[list[str], list[str]]:
    """The conditions and the languages that products can have, in CardTrader's order."""
    found = select(category.c.properties).where(if_given(category.c.game_id, game_id))
    conditions, languages = dict[str, None](), dict[str, None]()
    for properties in connection.scalars(found.order_by(category.c.id)):
        for one in properties or ():
            if one["name"] == "condition":
                conditions |= dict.fromkeys(_texts(one["possible_values"]))
            elif one["name"].endswith("language"):
                languages |= dict.fromkeys(_texts(one["possible_values"]))
    return [*conditions], [*languages]


def _texts(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def list_expansions(
    connection: Connection,
    *,
    game_id: int | None = None,
    q: str | None = None,
    after_id: int = 0,
    limit: int,
) -> Sequence[Found]:
    """Expansions after `after_id`, by id; `q` is a part of the name or code, in any case."""
    found = select(expansion).where(
        expansion.c.id > after_id, if_given(expansion.c.game_id, game_id)
    )
    if q:
        found = found.where(contains(expansion.c.name, q) | contains(expansion.c.code, q))
    return connection.execute(found.order_by(expansion.c.id).limit(limit)).all()


def list_blueprints(
    connection: Connection, *, expansion_id: int | None = None, after_id: int = 0, limit: int
) -> Sequence[Found]:
    """Blueprints after `after_id`, by id, with the `sku` that they are mapped to."""
    found = (
        select(blueprint, catalogue.c.sku)
        .outerjoin(mapping, mapping.c.blueprint_id == blueprint.c.id)
        .outerjoin(catalogue, catalogue.c.id == mapping.c.catalogue_id)
        .where(blueprint.c.id > after_id, if_given(blueprint.c.expansion_id, expansion_id))
        .order_by(blueprint.c.id)
        .limit(limit)
    )
    return connection.execute(found).all()


def list_unmapped(
    connection: Connection, *, account_id: int | None = None, after_id: int = 0, limit: int
) -> Sequence[Found]:
    """Unmapped blueprints with products, by id.

    Columns: blueprint_id, name, products (how many are not gone).
    """
    found = (
        select(
            product.c.blueprint_id,
            func.min(product.c.name_en).label("name"),
            func.count().label("products"),
        )
        .outerjoin(mapping, mapping.c.blueprint_id == product.c.blueprint_id)
        .where(
            mapping.c.blueprint_id.is_(None),
            product.c.gone_at.is_(None),
            product.c.blueprint_id > after_id,
            if_given(product.c.account_id, account_id),
        )
        .group_by(product.c.blueprint_id)
        .order_by(product.c.blueprint_id)
        .limit(limit)
    )
    return connection.execute(found).all()


def unknown_blueprints(connection: Connection, account_id: int, *, limit: int) -> list[int]:
    """Ids of unknown blueprints that products of an account's seller refer to.

    Without those that CardTrader was asked for in vain within a day.
    """
    # A difference of sets: with joins, a database without statistics looks up each product. The
    # index holds all ids of a seller, also those of gone products.
    seller = select(account.c.user_id).where(account.c.id == account_id).scalar_subquery()
    referred = select(product.c.blueprint_id).where(product.c.user_id == seller).distinct()
    unlisted = select(unlisted_blueprint.c.id).where(
        unlisted_blueprint.c.asked_at > read_clock(connection) - _DAY_MS
    )
    unknown = except_(referred, select(blueprint.c.id), unlisted).subquery()
    ids = select(unknown.c.blueprint_id).order_by(unknown.c.blueprint_id).limit(limit)
    return list(connection.scalars(ids))


def known_expansions(connection: Connection) -> set[int | None]:
    """Ids of the expansions with known blueprints; None for blueprints without an expansion."""
    return set(connection.scalars(select(blueprint.c.expansion_id).distinct()))
