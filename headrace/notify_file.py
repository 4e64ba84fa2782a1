"""The file of receivers: who is told of what happens. It holds secrets, so it is no part of the policy."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bundles.adapters.key_files import read_private
from bundles.core.errors import Invalid
from headrace.toml_file import parse_toml
from release.core.receivers import (
    AnyReceiver,
    EmailOptions,
    PagerdutyOptions,
    ReceiverFile,
    SlackOptions,
    WebhookOptions,
)
from release.notify import Subscription
from release.ports import Clock, Receiver

if TYPE_CHECKING:
    from release.adapters.notice_poster import NoticePoster

_MAX_BYTES = 256 * 1024


def read_notify_file(file: Path) -> tuple[AnyReceiver, ...]:
    """The receivers in the file. Raises `Refused` where others than its owner can read it, and `Invalid` with the
    file's name and the key for what is unknown or makes no sense; never with a value that may be secret.
    """
    content = read_private(file, "the file of receivers")
    document = parse_toml(content, file, _MAX_BYTES, "file of receivers")
    try:
        return msgspec.convert(document, ReceiverFile).receiver
    except msgspec.ValidationError as error:
        raise Invalid(f"{file}: {error}") from None


@asynccontextmanager
async def subscriptions(receivers: Sequence[AnyReceiver], clock: Clock) -> AsyncIterator[list[Subscription]]:
    """The receivers with what tells them."""
    if not receivers:
        yield []
        return
    from release.adapters.notice_poster import NoticePoster  # httpx is slow to load

    async with NoticePoster.open(clock) as poster:
        yield [Subscription(options, _receiver(options, poster, clock)) for options in receivers]


def _receiver(options: AnyReceiver, poster: "NoticePoster", clock: Clock) -> Receiver:
    from release.adapters.email_receiver import EmailReceiver
    from release.adapters.pagerduty_receiver import PagerdutyReceiver
    from release.adapters.slack_receiver import SlackReceiver
    from release.adapters.webhook_receiver import WebhookReceiver

    match options:
        case WebhookOptions():
            return WebhookReceiver(options, poster, clock)
        case SlackOptions():
            return SlackReceiver(options, poster)
        case PagerdutyOptions():
            return PagerdutyReceiver(options, poster)
        case EmailOptions():
            return EmailReceiver(options)
