"""Checks that are a service's verdict."""

from collections.abc import Callable

import msgspec

from release.adapters.service_post import post_signed
from release.core.check_rule import About
from release.core.gate import Verdict
from release.ports import Clock, Unanswered


class Request(About, frozen=True, kw_only=True):
    """What the service is asked: the check's name, and what it is about."""

    check: str


class Answer(msgspec.Struct, frozen=True):
    """What it is to answer; all other fields mean nothing."""

    verdict: Verdict
    reason: str = ""


class WebhookCheck:
    """Asks by one signed POST.

    `secret` is asked for each time, and raises `Failed` where there is none.
    """

    def __init__(self, secret: Callable[[], bytes], clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    async def verdict(self, url: str, check: str, about: About, timeout_seconds: int) -> tuple[Verdict, str]:
        """As `CheckWebhook.verdict`."""
        body = msgspec.json.encode(Request(**msgspec.structs.asdict(about), check=check))
        reply = await post_signed(url, body, self._secret(), self._clock.now(), timeout_seconds)
        if reply.fault is not None:
            raise Unanswered(reply.fault)
        answer = reply.decode(Answer) if reply.is_whole else None
        if answer is None:
            raise Unanswered(
                f'answered {reply.status} without a small JSON object whose "verdict" is abort, hold or promote'
            )
        return answer.verdict, answer.reason
