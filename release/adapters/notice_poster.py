"""Posts notices over HTTP, for all receivers that take them so."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime

import httpx

from release.ports import Clock, Undelivered

# Of a client's faults, those that pass by themselves (RFC 9110 section 15.5, RFC 8470, RFC 6585).
_PASSING = frozenset({408, 425, 429})


class NoticePoster:
    """Redirects are not followed: what is at another place was not named. Answers' bodies are not read."""

    def __init__(self, client: httpx.AsyncClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    @classmethod
    @asynccontextmanager
    async def open(cls, clock: Clock) -> AsyncIterator["NoticePoster"]:
        """One for all receivers, with one pool of connections. Whoever sends says how long it may take."""
        async with httpx.AsyncClient(timeout=None, follow_redirects=False) as client:  # noqa: S113
            yield cls(client, clock)

    async def post(self, who: str, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> str:
        """What `who` answered, which is said in place of the URL. Raises `Undelivered` for all but a 2xx."""
        all_headers = {"content-type": "application/json", **(headers or {})}
        try:
            async with self._client.stream("POST", url, content=body, headers=all_headers) as response:
                status, wait = response.status_code, response.headers.get("retry-after")
        except httpx.HTTPError as error:
            # Not its text: that may have the whole URL in it.
            raise Undelivered(f"{who} could not be reached: {type(error).__name__}") from None
        if not 200 <= status < 300:
            redirected = ", and redirects are not followed" if 300 <= status < 400 else ""
            raise Undelivered(
                f"{who} answered {status}{redirected}",
                lasting=300 <= status < 500 and status not in _PASSING,
                retry_after=None if wait is None else _seconds(wait, self._clock.now()),
            )
        return f"{who} answered {status}"


def _seconds(text: str, now: int) -> float | None:
    """What Retry-After says (RFC 9110 section 10.2.3): seconds, or a date; None for what is neither."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return None
