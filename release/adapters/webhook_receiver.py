"""Receivers that are any service: told by a signed POST."""

from release.adapters.notice_poster import NoticePoster
from release.core.notice_shapes import webhook_body
from release.core.notices import Notice
from release.core.receivers import WebhookOptions
from release.core.signature import sign
from release.ports import Clock


class WebhookReceiver:
    """Signed as the webhooks of smoke tests are. The event's id is in a header too."""

    def __init__(self, options: WebhookOptions, poster: NoticePoster, clock: Clock) -> None:
        self._options = options
        self._poster = poster
        self._clock = clock

    async def send(self, notice: Notice) -> str:
        """As `Receiver.send`."""
        body, timestamp = webhook_body(notice), self._clock.now()
        headers = {
            "headrace-event-id": notice.id,
            "headrace-timestamp": str(timestamp),
            "headrace-signature": f"v1={sign(self._options.secret.encode(), timestamp, body)}",
        }
        return await self._poster.post(str(self._options), self._options.url, body, headers)
