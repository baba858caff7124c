"""Wrong settings are refused when they are read, one line each, and no secret is in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.domains.variables import strange_variables
from penstock.errors import InvalidInputError
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONG = "9" * 5_000


def refused(monkeypatch: pytest.MonkeyPatch, **settings: str) -> list[str]:
    """The lines with which the settings of this environment are refused."""
    for name, value in settings.items():
        monkeypatch.setenv(f"PENSTOCK_{name.upper()}", value)
    with pytest.raises(InvalidInputError) as error:
        load_settings()
    return [str(error.value), *getattr(error.value, "__notes__", [])]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("timeframes", "1m,1x", "unknown timeframe '1x'; use one of "),
        ("timeframes", "60", "unknown timeframe '60'"),
        ("symbols", "BTC/USDT,/USDT", "'/USDT' cannot be a symbol; write it like BTC/USDT"),
        ("symbols", "none,BTC/USDT", "name symbols, or only `none` for none"),
        ("timeframes", " ", "name one or more, such as 1m,1h"),
        ("trusted_proxies", "proxy.example", "write addresses or networks"),
        ("symbols", "BTC USDT", "'BTC USDT' cannot be a symbol"),
        ("symbols", "BTC/USDT/EUR", "'BTC/USDT/EUR' cannot be a symbol"),
        ("symbols", "X" * 60, "cannot be a symbol"),
        ("secret_key", "short", "a key is 32 random bytes in URL-safe base64; make one with: "),
        ("binance_url", "binance.com", "write it like https://host"),
        ("binance_url", "ftp://binance.com", "write it like https://host"),
        ("binance_url", "http://xn--/", "write it like https://host"),
        ("binance_url", "http://[::1", "write it like https://host"),
        ("binance_url", "http://host:99999", "write it like https://host"),
        ("binance_url", "http://a..b/", "write it like https://host"),
        ("binance_url", f"http://{'a' * 64}.com", "write it like https://host"),
        ("binance_url", "https://me:hush-hush@host", "leave out user, password, ? and #"),
        ("cardtrader_url", "https://hush-hush@host", "leave out user, password, ? and #"),
        ("binance_url", "https://host/?key=hush-hush", "leave out user, password, ? and #"),
        ("proxy", "http://me:hush-hush@xn--/", "not a proxy address"),
        ("proxy", "http://[hush-hush", "not a proxy address"),
        ("proxy", "socks5://me:hush-hush@host", "socks5 proxies are not supported"),
        ("host", "http://127.0.0.1", "write an IP address or the name of a host"),
        ("host", "a..b", "write an IP address or the name of a host"),
        ("allowed_hosts", "example.org,https://x.org", "'https://x.org' is not a host name"),
        ("allowed_hosts", "example.org:8000", "leave out scheme, port and path"),
        ("allowed_hosts", "*.example.org", "is not a host name"),
        ("admin_token", " " * 32, "it needs at least 32 ASCII characters, and no spaces"),
        ("admin_token", "hush-hush " * 4, "it needs at least 32 ASCII characters, and no spaces"),
        ("admin_token", "hush-hush", "it needs at least 32 ASCII characters"),
        ("token", "hush\nhush", "a token has no spaces"),
        ("cardtrader_token", "hush\thush", "a token has no spaces"),
        ("port", _LONG, "it is '999"),
        ("collection_interval", _LONG, "it is '999"),
        ("collection_interval", "0", "use 1 or more seconds; PENSTOCK_SYMBOLS=none stops"),
        ("collection_interval", "99999999999999999999", "less than or equal to 31622400"),
        ("heartbeat_s", "inf", "finite number"),
        ("task_cleanup_delay", "1e300", "less than or equal to 31622400"),
        ("requests_per_minute", "0", "greater than or equal to 1"),
        ("shrink_rows", "99999999999", "less than 2147483648"),
        ("binance_weight_per_minute", "99999999999", "less than 2147483648"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    [line] = refused(monkeypatch, **{name: value})
    assert line.startswith(f"PENSTOCK_{name.upper()}: ")
    assert why in line
    assert len(line) < 400
    assert "hush" not in line


def test_all_wrong_settings_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = refused(
        monkeypatch, timeframes="1x", secret_key="short", port="high", proxy="ftp://x", symbols="/"
    )
    assert sorted(line.partition(":")[0] for line in lines) == [
        "PENSTOCK_PORT",
        "PENSTOCK_PROXY",
        "PENSTOCK_SECRET_KEY",
        "PENSTOCK_SYMBOLS",
        "PENSTOCK_TIMEFRAMES",
    ]


def test_the_settings_of_another_provider_are_checked_like_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load_settings()
    monkeypatch.setenv("PENSTOCK_ECB_URL", "https://me:hush@host")
    monkeypatch.setenv("PENSTOCK_ECB_WEIGHT_PER_MINUTE", "many")
    with pytest.raises(InvalidInputError, match="PENSTOCK_ECB_URL: leave out user") as refused_:
        settings.of_provider("ecb")
    [other] = refused_.value.__notes__
    assert other.startswith("PENSTOCK_ECB_WEIGHT_PER_MINUTE: ")
    assert "hush" not in str(refused_.value)


def test_what_surrounds_a_value_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    token = "t" * 32
    for name, value in {
        "ADMIN_TOKEN": f"{token}\n",
        "TOKEN": f" {token}\r\n",
        "TIMEFRAMES": " 1h , 1d\r",
        "LOG_LEVEL": "debug\r",
        "BINANCE_URL": "",
    }.items():
        monkeypatch.setenv(f"PENSTOCK_{name}", value)
    settings = load_settings()
    assert settings.admin_token is not None
    assert settings.token is not None
    assert {settings.admin_token.get_secret_value(), settings.token.get_secret_value()} == {token}
    assert (settings.timeframes, settings.log_level) == (("1h", "1d"), "debug")
    assert not settings.binance_url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("binance_url", "https://data-api.binance.vision"),
        ("binance_url", "http://127.0.0.1:9000/base"),
        ("binance_url", "http://[::1]:9000"),
        ("binance_url", "http://localhost:9000"),
        ("binance_url", "http://my_simulator:9000"),
        ("host", "::"),
        ("host", "[::1]"),
        ("host", "0.0.0.0"),  # noqa: S104 - only read
        ("allowed_hosts", "*"),
        ("allowed_hosts", "example.org, my-host,[::1],10.0.0.1"),
        ("symbols", "BTCUSDT,btc/usdt,BTC/USDT:USDT,币安人生/USDT,1000SATS-PERP"),
    ],
)
def test_what_users_set_today_still_works(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"PENSTOCK_{name.upper()}", value)
    found = getattr(load_settings(), name)
    assert found in (value, tuple(part.strip() for part in value.split(",")))


@pytest.mark.parametrize(
    ("names", "sentences"),
    [
        (["PENSTOCK_TIMEFRAME"], ["is not a setting; did you mean PENSTOCK_TIMEFRAMES?"]),
        (["PENSTOCK_DATABASE_URI"], ["is not a setting; did you mean PENSTOCK_DATABASE_URL?"]),
        (["PENSTOCK_BINANC_URL"], ["is not a setting; did you mean PENSTOCK_BINANCE_URL?"]),
        (["PENSTOCK_QUITE_OTHER"], ["is not a setting of Penstock"]),
        (["PENSTOCK_ECB_URL", "PENSTOCK_ECB_WEIGHT_PER_MINUTE"], []),
        (["PENSTOCK_TIMEFRAMES", "PENSTOCK_CARDTRADER_WEIGHT_PER_MINUTE", "PATH", "PORT"], []),
        (["penstock_timeframes"], []),
    ],
)
def test_a_variable_that_is_no_setting_is_told_with_the_nearest_one(
    names: Sequence[str], sentences: Sequence[str]
) -> None:
    expected = [f"{name} {told}" for name, told in zip(names, sentences, strict=False)]
    assert list(strange_variables(names)) == expected
