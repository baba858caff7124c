"""Sends through Apprise, which is synchronous: each message gets a thread and a deadline."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from penstock.alerts.book import plain_text
from penstock.alerts.notify.addresses import resolve
from penstock.errors import InvalidInputError, UndeliveredError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from penstock.alerts.book import AlertTarget

# Concurrent threads; one that hangs beyond its deadline still counts.
_MAX_THREADS = 8
# Schemes that notify the machine that runs them, through its programs and sockets.
_LOCAL_SCHEMES = frozenset(
    {"dbus", "glib", "gnome", "gntp", "kde", "macosx", "qt", "rsyslog", "syslog", "windows"}
)
# Parameters that only say what a message looks like, where in the service it goes, and who sends
# it. Others name files and hosts (`keyfile`, `template`, `pgppub`, `relay` …), and new ones may.
_LISTED = """
access accesstoken ack action actions alert alias api-version apikey app app_id archive avatar
avatar_url badge batch bcc blocks bot_id bot_token botname broadcast call category cc channel
channels class click client_id collapse color component content contents country critical cto
delay delete detect device duration email emojis entity event expire fields flags flash footer
footer_logo format from group header href icon icon_type icon_url id image image_url inline
integration integrationkey key label labels lang language level link method mode msgtype name
nsfw oauth_id oauth_secret option overflow password ping platform policy prefix preview priority
profile project qos region reply reply_to retain route routing_key rto savesent secret sender
sensitive service severity sid silent sound source spoiler status sticky subject subtitle tags
team tenant thread threadkey timestamp to token topic ttl tts type tz unicode urgency urgent
url_title user v validity ver verify version visibility volume
"""
_PARAMETERS = frozenset(_LISTED.split())
# An SMTP server, checked like the host.
_SERVER = "smtp"
# Headers and fields of the message to a webhook, whose host is checked.
_FREE_NAMES = "+-:"


class AppriseSender:
    """Sends through Apprise."""

    def __init__(self, *, deadline_s: float, allow_private: bool) -> None:
        self._deadline_s = deadline_s
        self._allow_private = allow_private
        self._threads = threading.BoundedSemaphore(_MAX_THREADS)

    async def send(self, target: AlertTarget, body: Mapping[str, object]) -> str:
        service = await self._service(target.url)
        delivered = await self._in_thread(
            lambda: service.notify(body=plain_text(body), title=str(body["title"]))
        )
        name = service.service_name or "the service"
        if not delivered:
            raise UndeliveredError(f"{name} did not accept it")
        return f"{name} accepted it"

    async def check(self, url: str) -> None:
        """InvalidInputError for an unknown or refused URL, and when Apprise is not installed."""
        await self._service(url)

    async def _service(self, url: str) -> Any:  # noqa: ANN401 - Apprise has no types
        _refuse_without_apprise()
        if not self._allow_private:
            await self._check_parameters(url)
        service = await self._in_thread(lambda: _instantiate(url))
        if service is None:
            raise InvalidInputError(
                "url: Apprise knows no such service, or the URL is incomplete; "
                "see its list of services",
                field="url",
            )
        if not self._allow_private:
            await self._refuse_private(url, service)
        return service

    async def _refuse_private(self, url: str, service: Any) -> None:  # noqa: ANN401 - as above
        """Raise InvalidInputError for a private host.

        Some services have a token in the host's place: a name that does not resolve is fine.
        """
        if url.partition("://")[0].lower() in _LOCAL_SCHEMES:
            raise InvalidInputError(
                "url: this notifies the machine of the service itself; "
                "allow it with PENSTOCK_ALERT_PRIVATE_TARGETS=true",
                field="url",
            )
        if host := getattr(service, "host", None):
            await self._refuse_private_host(str(host), int(getattr(service, "port", None) or 0))

    async def _check_parameters(self, url: str) -> None:
        """InvalidInputError for a parameter that may name a file, or a host of this network."""
        for pair in re.split("[&;]", url.partition("?")[2]):
            name, _, value = (unquote(part).strip() for part in pair.partition("="))
            if name.lower() == _SERVER:
                await self._refuse_private_host(value.partition(":")[0], 0)
            elif name and name.lower() not in _PARAMETERS and name[:1] not in _FREE_NAMES:
                raise InvalidInputError(
                    f"url: the parameter {name[:40]!r} may name a file or a host; leave it out, "
                    "or allow it with PENSTOCK_ALERT_PRIVATE_TARGETS=true",
                    field="url",
                )

    async def _refuse_private_host(self, host: str, port: int) -> None:
        try:
            async with asyncio.timeout(self._deadline_s):
                await resolve(host.strip("[]"), port, allow_private=False)
        except (TimeoutError, UndeliveredError):
            return

    async def _in_thread(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - untyped
        """The result of the work; UndeliveredError when it takes too long.

        The thread is a daemon: if it hangs, the process can still end.
        """
        if not self._threads.acquire(blocking=False):
            raise UndeliveredError(
                f"{_MAX_THREADS} messages are already being sent through Apprise"
            )
        result: Future[Any] = Future()
        threading.Thread(target=self._run, args=(work, result), name="apprise", daemon=True).start()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.wrap_future(result)
        except TimeoutError:
            raise UndeliveredError(f"not sent within {self._deadline_s:g} s") from None

    def _run(self, work: Callable[[], Any], result: Future[Any]) -> None:
        try:
            if result.set_running_or_notify_cancel():
                result.set_result(work())
        except Exception as error:  # noqa: BLE001 - a plugin may fail only its own message
            result.set_exception(UndeliveredError(f"Apprise failed: {type(error).__name__}"))
        finally:
            self._threads.release()


def _refuse_without_apprise() -> None:
    if importlib.util.find_spec("apprise") is None:
        raise InvalidInputError(
            "url: only webhooks work without Apprise; install it: pip install 'penstock[push]'",
            field="url",
        )


def _instantiate(url: str) -> Any:  # noqa: ANN401 - Apprise has no types
    """The service of a URL, None for one that Apprise does not know."""
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - the import takes half a second

    # Its log lines hold parts of URLs.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    service = Apprise.instantiate(url, asset=AppriseAsset(), suppress_exceptions=True)
    if service is not None:
        # The URL can enable redirects, and their destination is not checked.
        service.redirects = False
    return service
