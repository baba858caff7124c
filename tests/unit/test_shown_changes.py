"""How the command line shows money and the changes of a product."""

from __future__ import annotations

import pytest

from penstock.cli.shown.changes import changed_lines, described
from penstock.cli.shown.price import shown_price
from penstock.cli.shown.sync_shown import COUNTS, verdict


@pytest.mark.parametrize(
    ("minor_units", "currency", "shown"),
    [
        (1234, "EUR", "12.34 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "USD", "0.00 USD"),
        (1234, "JPY", "1,234 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (-150, "EUR", "-1.50 EUR"),
        (2**53 + 1, "EUR", "90,071,992,547,409.93 EUR"),
    ],
)
def test_a_price_has_all_digits_of_its_currency(
    minor_units: int, currency: str, shown: str
) -> None:
    assert shown_price(minor_units, currency) == shown


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"price_cents": [199, 249]}, ["price 1.99 EUR → 2.49 EUR"]),
        (
            {"price_cents": [300, 249], "price_currency": ["JPY", "EUR"]},
            ["price 300 JPY → 2.49 EUR"],
        ),
        ({"price_currency": ["USD", "EUR"]}, ["price 2.49 USD → 2.49 EUR"]),
        ({"quantity": [4, 3], "bundled_quantity": [4, 3]}, ["quantity 4 → 3"]),
        ({"bundled_quantity": [4, None]}, ["bundled_quantity 4 → none"]),
        ({"tag": [None, ""]}, ['tag none → ""']),
        ({"graded": [True, None]}, ["graded yes → none"]),
        ({"graded": ["9", "PSA 9.5"]}, ['graded "9" → "PSA 9.5"']),
        (
            {"properties": ['{"mtg_foil":true,"signed":false}', '{"mtg_foil":true,"signed":true}']},
            ["signed no → yes"],
        ),
        (
            {
                "properties": [
                    '{"signed":false,"mtg_foil":true,"condition":"Poor"}',
                    '{"signed":true,"mtg_foil":false,"altered":false}',
                ]
            },
            [
                "signed no → yes",
                "mtg_foil yes → no",
                'condition "Poor" → none',
                "altered none → no",
            ],
        ),
        ({"properties": ["{}", "not JSON"]}, ['properties "{}" → "not JSON"']),
        ({"description": ["a\x1b[2Jb\nc", "x" * 100]}, [f'description "a [2Jb c" → "{"x" * 59}…"']),
        ({}, []),
    ],
)
def test_changes_are_shown_column_by_column(
    changes: dict[str, list[object]], lines: list[str]
) -> None:
    assert changed_lines(changes, price_cents=249, price_currency="EUR") == lines


def test_a_product_is_described_in_a_few_words() -> None:
    product = {
        "quantity": 4,
        "price_cents": 199,
        "price_currency": "EUR",
        "condition": "Near Mint",
        "language": None,
        "graded": False,
    }
    product |= {"foil": True, "signed": False, "altered": None}
    assert described(product) == "4 × 1.99 EUR, Near Mint, foil"
    assert described(product | {"graded": True}) == "4 × 1.99 EUR, Near Mint, graded, foil"
    assert (
        described(product | {"graded": "PSA 9.5"})
        == "4 × 1.99 EUR, Near Mint, graded PSA 9.5, foil"
    )


@pytest.mark.parametrize("new", [0, 3])
def test_a_dry_run_that_would_be_held_says_so_also_when_nothing_differs(new: int) -> None:
    counts = dict.fromkeys(COUNTS, 0) | {"new": new, "unchanged": 9}
    sync = {
        "unread": None,
        "held": False,
        "dry_run": True,
        "suspicions": {"duplicate_id": "an id comes twice"},
        "counts": counts,
    }
    assert verdict(sync) == "dry run, nothing was changed; it would be held: an id comes twice"
