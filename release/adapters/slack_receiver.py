"""Receivers that are a channel in Slack."""

from release.adapters.notice_poster import NoticePoster
from release.core.notice_shapes import slack_body
from release.core.notices import Notice
from release.core.receivers import SlackOptions


class SlackReceiver:
    """Tells an incoming webhook."""

    def __init__(self, options: SlackOptions, poster: NoticePoster) -> None:
        self._options = options
        self._poster = poster

    async def send(self, notice: Notice) -> str:
        """As `Receiver.send`."""
        return await self._poster.post(str(self._options), self._options.url, slack_body(notice))
