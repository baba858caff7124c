"""User input: symbols, timeframes, addresses, settings; errors are one line with a hint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InvalidInputError, PenstockError
from penstock.market.instrument import name_instruments, parse_timeframes
from penstock.market.timeframe import Timeframe
from penstock.settings import load_settings
from penstock.store.connect import parse_url
from tests.market_builders import instrument, key

_KNOWN = [
    instrument("BTCUSDT"),
    instrument("ETHUSDT"),
    instrument("BTCUSDC", quote="USDC"),
    instrument("1000SATSUSDT"),
]


@pytest.mark.parametrize("name", ["BTCUSDT", "BTC/USDT", "btcusdt", " btc/usdt ", "Btc/Usdt"])
def test_a_symbol_is_found_by_its_native_and_its_unified_name_in_any_case(name: str) -> None:
    assert list(name_instruments([name], _KNOWN)) == [_KNOWN[0]]


def test_a_symbol_named_twice_counts_once() -> None:
    named = name_instruments(["ETHUSDT", "BTC/USDT", "ETH/USDT", "btcusdt"], _KNOWN)
    assert list(named) == [_KNOWN[1], _KNOWN[0]]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("BTCUSD", "BTC/USDT"),
        ("BTC/UDST", "BTC/USDT"),
        ("ETHUSTD", "ETH/USDT"),
        ("1000SAT/USDT", "1000SATS/USDT"),
    ],
)
def test_an_unknown_symbol_is_refused_with_the_nearest_ones(name: str, near: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        name_instruments(["ETHUSDT", name], _KNOWN)
    assert near in str(refused.value)
    assert (refused.value.field, refused.value.exit_code, refused.value.http_status) == (
        "symbol",
        2,
        422,
    )


@given(st.text(max_size=200))
def test_any_text_is_found_or_refused_in_one_short_line(name: str) -> None:
    if name.strip().upper() not in {
        form for instrument in _KNOWN for form in (instrument.native_symbol, instrument.symbol)
    }:
        with pytest.raises(InvalidInputError) as refused:
            name_instruments([name], _KNOWN)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 500


def test_a_base_asset_suggests_its_usdt_symbol_before_similar_names() -> None:
    known = [
        instrument("OPBTC", quote="BTC"),
        instrument("BTCUSDC", quote="USDC"),
        instrument("BTCUSDT"),
    ]
    with pytest.raises(InvalidInputError, match="did you mean BTC/USDT, BTC/USDC, OP/BTC"):
        name_instruments(["btc"], known)


def test_without_known_symbols_the_error_suggests_none() -> None:
    with pytest.raises(
        InvalidInputError, match="unknown symbol 'BTCUSDT'; use one that the exchange lists"
    ):
        name_instruments(["BTCUSDT"], [])


def test_timeframes_keep_their_order_without_duplicates() -> None:
    assert parse_timeframes(["1M", "1m", "1d", "1m"]) == [
        Timeframe.MONTH,
        Timeframe.M1,
        Timeframe.D1,
    ]


@pytest.mark.parametrize(
    ("name", "near"),
    [("1H", "1h"), ("60m", "30m"), ("2m", "3m"), ("weekly", "1w"), ("", "1M"), ("1mo", "1m")],
)
def test_an_unknown_timeframe_is_refused_with_valid_ones(name: str, near: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_timeframes(["1m", name])
    assert near in str(refused.value)
    assert refused.value.field == "timeframe"


def test_series_of_different_exchanges_symbols_and_timeframes_claim_different_resources() -> None:
    keys = [key(), key("ETHUSDT"), key(timeframe=Timeframe.MONTH)]
    assert len({series.resource for series in keys}) == len(keys)
    assert str(key(timeframe=Timeframe.MONTH)) == "BTC/USDT 1M"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqlite:////data/penstock.db", "sqlite:////data/penstock.db"),
        ("sqlite:///penstock.db", "sqlite:///penstock.db"),
        ("postgresql://user:secret@host/name", "postgresql+psycopg://user:secret@host/name"),
        ("postgres://user@host:5433/name", "postgresql+psycopg://user@host:5433/name"),
        ("postgresql+asyncpg://user@host/name", "postgresql+psycopg://user@host/name"),
    ],
)
def test_a_database_address_is_understood_as_users_write_it(text: str, expected: str) -> None:
    assert parse_url(text).render_as_string(hide_password=False) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "penstock.db",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://user:secret@host/name",
        "http://host",
        "sqlite+aiosqlite:///x.db",
        "postgresql//x",
    ],
)
def test_any_other_address_is_refused_without_showing_a_possible_password(text: str) -> None:
    with pytest.raises(InvalidInputError, match="database: the URL has to look like") as refused:
        parse_url(text)
    assert "secret" not in str(refused.value)


def test_the_database_address_can_come_from_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_DATABASE_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///a.db")
    assert load_settings().database_url == "sqlite:///a.db"
    monkeypatch.setenv("PENSTOCK_DATABASE_URL", "sqlite:///b.db")
    assert load_settings().database_url == "sqlite:///b.db"
    assert load_settings(database_url="sqlite:///c.db", port=None).database_url == "sqlite:///c.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PENSTOCK_DATABASE_POOL_SIZE", "0"),
        ("PENSTOCK_DATABASE_THREADS", "many"),
        ("PENSTOCK_DATABASE_TIMEOUT_S", "0"),
        ("PENSTOCK_DATABASE_TIMEOUT_S", "nan"),
        ("PENSTOCK_REQUEST_DEADLINE_S", "inf"),
        ("PENSTOCK_REQUEST_ATTEMPTS", "0"),
        ("PENSTOCK_BINANCE_WEIGHT_PER_MINUTE", "10"),
        ("PENSTOCK_GRACE_S", "-1"),
        ("PENSTOCK_HEARTBEAT_S", "0"),
        ("PENSTOCK_DEAD_AFTER_S", "-5"),
        ("PENSTOCK_PORT", "70000"),
        ("PENSTOCK_SYMBOLS", ""),
        ("PENSTOCK_SYMBOLS", ","),
        ("PENSTOCK_SYMBOLS", "none,BTC/USDT"),
        ("PENSTOCK_COLLECTION_INTERVAL", "0"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_and_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInputError) as refused:
        load_settings()
    assert name in str(refused.value)
    assert repr(value.strip()) in str(refused.value)
    assert refused.value.field == name


def test_the_symbols_are_named_or_none_or_the_traded_most(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().symbols is None
    for text, symbols in {
        "BTC/USDT, ETHUSDT": ("BTC/USDT", "ETHUSDT"),
        "none": (),
        " None ": (),
    }.items():
        monkeypatch.setenv("PENSTOCK_SYMBOLS", text)
        assert load_settings().symbols == symbols


@pytest.mark.parametrize(
    ("name", "value"), [("PENSTOCK_SYMBOLS", ""), ("PENSTOCK_COLLECTION_INTERVAL", "0")]
)
def test_a_setting_that_seems_to_stop_the_default_schedule_names_what_does(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInputError, match=r"\bnone\b") as refused:
        load_settings()
    assert len(str(refused.value).splitlines()) == 1


def test_settings_do_not_change_once_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1


def test_every_error_has_an_exit_code_and_an_http_status() -> None:
    errors = [PenstockError]
    for kind in errors:
        errors.extend(kind.__subclasses__())
    assert all(
        kind.exit_code > 0 and 400 <= kind.http_status < 600 and kind.code for kind in errors
    )
