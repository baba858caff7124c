"""The sender: each kind of target has its way; and the check of an address before it is kept."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from penstock.alerts.book import Address, TargetKind
from penstock.alerts.notify.push import AppriseSender
from penstock.alerts.notify.webhook import WebhookSender, parse
from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.alerts.book import Target

_MOST_CHARS = 2_000
_KEY_BYTES = 32


class Sender:
    """See penstock.alerts.book.Notifier."""

    def __init__(self, *, deadline_s: float, allow_private: bool) -> None:
        self._senders: Mapping[TargetKind, WebhookSender | AppriseSender] = {
            TargetKind.WEBHOOK: WebhookSender(deadline_s=deadline_s, allow_private=allow_private),
            TargetKind.APPRISE: AppriseSender(deadline_s=deadline_s, allow_private=allow_private),
        }

    async def send(self, target: Target, body: Mapping[str, object]) -> str:
        """See Notifier."""
        return await self._senders[target.kind].send(target, body)

    async def address(self, url: str, signing_key: str | None = None) -> Address:
        """See Notifier."""
        kind = kind_of(url)
        await self._senders[kind].check(url)
        if kind is TargetKind.WEBHOOK:
            return Address(
                kind=kind,
                url=url,
                shown=shown(url, kind),
                signing_key=signing_key or secrets.token_urlsafe(_KEY_BYTES),
            )
        if signing_key is not None:
            message = "signing_key: only webhooks are signed; leave it out"
            raise InvalidInputError(message, field="signing_key")
        return Address(kind=kind, url=url, shown=shown(url, kind), signing_key=None)


def kind_of(url: str) -> TargetKind:
    """A webhook for http and https; every other scheme is Apprise's to know."""
    scheme, found, rest = url.partition("://")
    if not (found and scheme and rest) or not url.isprintable() or len(url) > _MOST_CHARS:
        message = "url: give a webhook such as https://example.org/path, or an Apprise URL such as ntfy://topic"
        raise InvalidInputError(message, field="url")
    return TargetKind.WEBHOOK if scheme.lower() in {"http", "https"} else TargetKind.APPRISE


def shown(url: str, kind: TargetKind) -> str:
    """What may be seen of a URL. In many of Apprise's the place of the host is that of a token, so of those it is the scheme alone."""
    scheme = url.partition("://")[0].lower()
    if kind is TargetKind.APPRISE:
        return f"{scheme}://…"
    parsed = parse(url)
    return f"{scheme}://{parsed.host}{f':{parsed.explicit_port}' if parsed.explicit_port else ''}/…"
