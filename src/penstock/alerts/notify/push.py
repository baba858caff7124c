"""Apprise: a hundred services behind one form of URL. It is synchronous, so each message has a thread of its own and a deadline."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from typing import TYPE_CHECKING, Any

from penstock.alerts.book import TargetKind, plain_text
from penstock.alerts.notify.addresses import resolve
from penstock.errors import InvalidInputError, UndeliveredError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from penstock.alerts.book import Target

KIND = TargetKind.APPRISE

# Threads at the same time; one that hangs beyond its deadline still counts.
_MOST_THREADS = 8
# They notify the machine that runs them, by programs and sockets of it.
_OF_THIS_MACHINE = frozenset(
    {"dbus", "glib", "gnome", "gntp", "kde", "macosx", "qt", "rsyslog", "syslog", "windows"}
)


class AppriseSender:
    """Sends through Apprise."""

    def __init__(self, *, deadline_s: float, allow_private: bool) -> None:
        self._deadline_s = deadline_s
        self._allow_private = allow_private
        self._threads = threading.BoundedSemaphore(_MOST_THREADS)

    async def send(self, target: Target, body: Mapping[str, object]) -> str:
        """See penstock.alerts.book.Notifier."""
        service = await self._service(target.url)
        arrived = await self._in_thread(
            lambda: service.notify(body=plain_text(body), title=str(body["title"]))
        )
        if not arrived:
            message = f"{service.service_name or 'the service'} did not take it"
            raise UndeliveredError(message)
        return f"{service.service_name or 'the service'} took it"

    async def check(self, url: str) -> None:
        """InvalidInputError for a URL that Apprise does not know, or that leads to where nothing may be sent, and where Apprise is missing."""
        await self._service(url)

    async def _service(self, url: str) -> Any:  # noqa: ANN401 - Apprise has no types
        _refuse_without_apprise()
        service = await self._in_thread(lambda: _instantiate(url))
        if service is None:
            message = "url: Apprise knows no such service or the URL lacks a part; see its list of services"
            raise InvalidInputError(message, field="url")
        if not self._allow_private:
            await self._refuse_private(url, service)
        return service

    async def _refuse_private(self, url: str, service: Any) -> None:  # noqa: ANN401 - as above
        """What stands where others have their host may be a token, which is no name that anybody knows, and leads nowhere."""
        if url.partition("://")[0].lower() in _OF_THIS_MACHINE:
            message = "url: this notifies the machine of the service itself; allow it with PENSTOCK_ALERT_PRIVATE_TARGETS=true"
            raise InvalidInputError(message, field="url")
        host = getattr(service, "host", None)
        if not host:
            return
        try:
            async with asyncio.timeout(self._deadline_s):
                await resolve(
                    str(host).strip("[]"),
                    int(getattr(service, "port", None) or 0),
                    allow_private=False,
                )
        except (TimeoutError, UndeliveredError):
            return

    async def _in_thread(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the work gives
        """What the work gives; UndeliveredError when it takes too long. The thread is a daemon: what hangs in it does not keep the process."""
        if not self._threads.acquire(blocking=False):
            message = f"{_MOST_THREADS} messages are under way through Apprise already"
            raise UndeliveredError(message)
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Any] = loop.create_future()
        threading.Thread(
            target=self._run, args=(work, loop, result), name="apprise", daemon=True
        ).start()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await result
        except TimeoutError:
            message = f"not sent within {self._deadline_s:g} s"
            raise UndeliveredError(message) from None

    def _run(
        self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop, result: asyncio.Future[Any]
    ) -> None:
        try:
            given = work()
        except Exception as error:  # noqa: BLE001 - hundreds of plugins, and none may end more than its own message
            _hand_over(
                loop, result, None, UndeliveredError(f"Apprise failed: {type(error).__name__}")
            )
        else:
            _hand_over(loop, result, given, None)
        finally:
            self._threads.release()


def _refuse_without_apprise() -> None:
    if importlib.util.find_spec("apprise") is None:
        message = (
            "url: only webhooks work without Apprise; install it: pip install 'penstock[push]'"
        )
        raise InvalidInputError(message, field="url")


def _hand_over(
    loop: asyncio.AbstractEventLoop,
    result: asyncio.Future[Any],
    given: object,
    error: Exception | None,
) -> None:
    def hand_over() -> None:
        if not result.done():
            result.set_exception(error) if error else result.set_result(given)

    # By then the loop may have ended, and nobody waits any more.
    if not loop.is_closed():
        loop.call_soon_threadsafe(hand_over)


def _instantiate(url: str) -> Any:  # noqa: ANN401 - Apprise has no types
    """The service of a URL, None for one that Apprise does not know. It takes half a second to import, so only who needs it does."""
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - as said

    # What it logs holds parts of URLs.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    service = Apprise.instantiate(url, asset=AppriseAsset(), suppress_exceptions=True)
    if service is not None:
        # A part of the URL may say otherwise, and where a redirect leads to nobody has checked.
        service.redirects = False
    return service
