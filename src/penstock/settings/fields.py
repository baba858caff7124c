"""The kinds of settings: what a value looks like, and what is wrong with one that does not."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from penstock.address import is_host, web_address
from penstock.errors import PenstockError
from penstock.market.instrument import check_symbol, parse_timeframes

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r"[!-~]+")
_ADMIN_TOKEN_CHARS = 32
# The value of PENSTOCK_SYMBOLS for no symbols.
_NONE = "none"
# A year: the times of the program have room for it.
_LONGEST_S = 366 * 86_400


def wrong(why: str) -> PydanticCustomError:
    """The error of a wrong value."""
    return PydanticCustomError("setting", "{why}", {"why": why})


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """Refuse a value with the words of the part that it is for."""
    try:
        yield
    except PenstockError as error:
        raise wrong(str(error).partition(": ")[2]) from None


def _provider_address(text: str) -> str:
    url = web_address(text)
    if text and url is None:
        raise wrong("write it like https://host")
    if url and (url.raw_user or url.raw_password or url.raw_query_string or url.raw_fragment):
        raise wrong("leave out user, password, ? and #; messages and metrics show the address")
    return text


def _token(value: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(value.get_secret_value()):
        raise wrong("a token has no spaces, line breaks or characters outside ASCII")
    return value


def _hard_to_guess(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if len(text) < _ADMIN_TOKEN_CHARS or not _TOKEN.fullmatch(text):
        needed = "it needs at least 32 ASCII characters, and no spaces"
        raise wrong(f"{needed}; make one with `openssl rand -hex 32`")
    return value


def _secret_keys(value: SecretStr) -> SecretStr:
    from penstock.access.vault import parse_keys  # noqa: PLC0415 - slow, and few set it

    with _refused():
        parse_keys(value.get_secret_value(), where="key")
    return value


def _proxy_address(value: SecretStr) -> SecretStr:
    from penstock.http.proxy import SETTING, parse_proxy  # noqa: PLC0415 - as above

    if address := value.get_secret_value():
        with _refused():
            parse_proxy(address, SETTING)
    return value


def _host(name: str) -> str:
    if not is_host(name):
        raise wrong("write an IP address or the name of a host, such as 127.0.0.1")
    return name


def _hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name != "*" and not is_host(name):
            raise wrong(f"{name[:40]!r} is not a host name; leave out scheme, port and path")
    return names


def _timeframes(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise wrong("name one or more, such as 1m,1h")
    with _refused():
        parse_timeframes(names)
    return names


def _symbols(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """No symbols for the one word `none`; None stands for the default ones."""
    if names is None:
        return None
    words = [name.casefold() for name in names]
    if words == [_NONE]:
        return ()
    if not words or _NONE in words:
        raise wrong("name symbols, or only `none` for none; unset it for the 50 traded most")
    with _refused():
        for name in names:
            check_symbol(name)
    return names


def _networks(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        try:
            ipaddress.ip_network(name, strict=False)
        except ValueError:
            raise wrong("write addresses or networks, such as 10.0.0.7 or 172.16.0.0/12") from None
    return names


def _at_least_a_second(seconds: int) -> int:
    if seconds < 1:
        raise wrong("use 1 or more seconds; PENSTOCK_SYMBOLS=none stops the default schedule")
    return seconds


def _with_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


ProviderAddress = Annotated[str, AfterValidator(_provider_address)]
ProxyAddress = Annotated[SecretStr, AfterValidator(_proxy_address)]
TokenText = Annotated[SecretStr, AfterValidator(_token)]
AdminToken = Annotated[SecretStr, AfterValidator(_hard_to_guess)]
SecretKeys = Annotated[SecretStr, AfterValidator(_secret_keys)]
Host = Annotated[str, AfterValidator(_host)]

_Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_with_commas)]
Hosts = Annotated[_Words, AfterValidator(_hosts)]
Networks = Annotated[_Words, AfterValidator(_networks)]
Symbols = Annotated[
    tuple[str, ...] | None, NoDecode, BeforeValidator(_with_commas), AfterValidator(_symbols)
]
Timeframes = Annotated[_Words, AfterValidator(_timeframes)]

Percent = Annotated[float, Field(ge=0, le=100)]
# Of what a process has at once, or of attempts.
Count = Annotated[int, Field(ge=1, le=100)]
Number = Annotated[int, Field(lt=2**31)]
Seconds = Annotated[float, Field(gt=0, le=_LONGEST_S)]
Delay = Annotated[float, Field(ge=0, le=_LONGEST_S)]
CollectionInterval = Annotated[int, Field(le=_LONGEST_S), AfterValidator(_at_least_a_second)]
Interval = Annotated[int, Field(ge=1, le=_LONGEST_S)]
