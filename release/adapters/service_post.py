"""One POST to a service that may be slow, broken or hostile."""

from typing import TypeVar

import anyio
import httpx
import msgspec

from release.core.codec import UNREADABLE
from release.core.signature import sign
from release.ports import Unanswered

MAX_ANSWER_BYTES = 64 * 1024

T = TypeVar("T")


class Reply(msgspec.Struct, frozen=True):
    """A status, and the beginning of the body, or all of it where it `is_whole`."""

    status: int
    body: bytes
    is_whole: bool

    @property
    def fault(self) -> str | None:
        """What is wrong with the status; None for one of 2xx."""
        if 200 <= self.status < 300:
            return None
        redirected = ", and redirects are not followed" if 300 <= self.status < 400 else ""
        return f"answered {self.status}{redirected}"

    def decode(self, kind: type[T]) -> T | None:
        """What the body says in JSON; None where it is anything else."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except UNREADABLE:  # nested without end
            return None


async def post(url: str, body: bytes, headers: dict[str, str], timeout_seconds: float) -> Reply:
    """What is answered. Redirects are not followed: what is at another place was not named.

    Raises `Unanswered`, without the URL, which may be private.
    """
    headers = {"accept-encoding": "identity", **headers}  # a few bytes of gzip may stand for very many
    try:
        with anyio.fail_after(timeout_seconds):
            async with (
                httpx.AsyncClient(timeout=None, follow_redirects=False) as client,  # noqa: S113 - all of it has a time
                client.stream("POST", url, content=body, headers=headers) as response,
            ):
                answer = bytearray()
                async for chunk in response.aiter_raw():
                    answer += chunk
                    if len(answer) > MAX_ANSWER_BYTES:
                        break
    except TimeoutError:
        raise Unanswered(f"did not answer within {timeout_seconds} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
        # Not its text: that may have the whole URL in it. UnicodeError is Python's for a host that none can have.
        raise Unanswered(f"could not be asked: {type(error).__name__}") from None
    return Reply(response.status_code, bytes(answer[:MAX_ANSWER_BYTES]), len(answer) <= MAX_ANSWER_BYTES)


async def post_signed(url: str, body: bytes, secret: bytes, timestamp: int, timeout_seconds: float) -> Reply:
    """The same with JSON that is signed at this time, in seconds since the epoch, by the secret of both."""
    headers = {
        "content-type": "application/json",
        "headrace-timestamp": str(timestamp),
        "headrace-signature": f"v1={sign(secret, timestamp, body)}",
    }
    return await post(url, body, headers, timeout_seconds)
