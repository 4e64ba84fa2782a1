"""Receivers that are a service in PagerDuty."""

from release.adapters.notice_poster import NoticePoster
from release.core.notice_shapes import pagerduty_body
from release.core.notices import Notice
from release.core.receivers import PagerdutyOptions


class PagerdutyReceiver:
    """Triggers and resolves incidents by the Events API v2."""

    def __init__(self, options: PagerdutyOptions, poster: NoticePoster) -> None:
        self._options = options
        self._poster = poster

    async def send(self, notice: Notice) -> str:
        """As `Receiver.send`."""
        body = pagerduty_body(notice, self._options.routing_key)
        return await self._poster.post(str(self._options), self._options.url, body)
