"""Money for people: minor units, shown with the digits of their currency."""

from __future__ import annotations

# ISO 4217: the digits after the point, where they are not two.
_DIGITS = dict.fromkeys(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ],
    0,
) | dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)


def shown_price(minor_units: int, currency: str) -> str:
    """`12.34 EUR` of 1234."""
    digits = _DIGITS.get(currency, 2)
    whole, part = divmod(abs(minor_units), 10**digits)
    amount = f"{whole:,}.{part:0{digits}d}" if digits else f"{whole:,}"
    return f"{'-' if minor_units < 0 else ''}{amount} {currency}"
