"""Sends messages to each kind of target, and checks addresses before they are stored."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from penstock.alerts.book import Address, TargetKind
from penstock.alerts.notify.push import AppriseSender
from penstock.alerts.notify.webhook import WebhookSender, parse
from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.alerts.book import AlertTarget

_MAX_CHARS = 2_000
_KEY_BYTES = 32


class Sender:
    """The Notifier for webhooks and Apprise."""

    def __init__(self, *, deadline_s: float, allow_private: bool) -> None:
        self._senders: Mapping[TargetKind, WebhookSender | AppriseSender] = {
            TargetKind.WEBHOOK: WebhookSender(deadline_s=deadline_s, allow_private=allow_private),
            TargetKind.APPRISE: AppriseSender(deadline_s=deadline_s, allow_private=allow_private),
        }

    async def send(self, target: AlertTarget, body: Mapping[str, object]) -> str:
        return await self._senders[target.kind].send(target, body)

    async def address(self, url: str, signing_key: str | None = None) -> Address:
        kind = kind_of(url)
        await self._senders[kind].check(url)
        if kind is TargetKind.WEBHOOK:
            signing_key = signing_key or secrets.token_urlsafe(_KEY_BYTES)
        elif signing_key is not None:
            raise InvalidInputError(
                "signing_key: only webhooks are signed; leave it out", field="signing_key"
            )
        return Address(kind=kind, url=url, shown=shown(url, kind), signing_key=signing_key)


def kind_of(url: str) -> TargetKind:
    """A webhook for http and https, Apprise for every other scheme."""
    scheme, found, rest = url.partition("://")
    if not (found and scheme and rest) or not url.isprintable() or len(url) > _MAX_CHARS:
        raise InvalidInputError(
            "url: give a webhook such as https://example.org/path, "
            "or an Apprise URL such as ntfy://topic",
            field="url",
        )
    return TargetKind.WEBHOOK if scheme.lower() in {"http", "https"} else TargetKind.APPRISE


def shown(url: str, kind: TargetKind) -> str:
    """A URL without secrets: of Apprise's the scheme alone, since the host may be a token."""
    scheme = url.partition("://")[0].lower()
    if kind is TargetKind.APPRISE:
        return f"{scheme}://…"
    parsed = parse(url)
    return f"{scheme}://{parsed.host}{f':{parsed.explicit_port}' if parsed.explicit_port else ''}/…"
