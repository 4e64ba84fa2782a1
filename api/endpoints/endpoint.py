"""What all endpoints share."""

from collections.abc import Collection, Mapping
from typing import Protocol

import anyio
from starlette.requests import Request
from starlette.responses import Response

from api.core.access import Caller
from api.core.problems import Malformed, TooLarge, WrongMediaType

BODY_SECONDS = 60.0
"""How long a body may take to arrive; an archive has a time of its own."""


class Progress:
    """What is known of a request so far, for what is kept of those that were refused."""

    def __init__(self) -> None:
        self.caller: Caller | None = None
        self.operation = ""


class Endpoint(Protocol):
    """Answers requests of one method at one path, below the API's prefix."""

    @property
    def name(self) -> str:
        """What metrics and the list of refusals call it."""
        ...

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """The answer. Raises the fault that keeps it from being given."""
        ...


def check_media_type(request: Request, taken: Collection[str]) -> None:
    """Raise `WrongMediaType` for a body of none of these types, or an encoded one."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in taken:
        raise WrongMediaType(f"send it with Content-Type: {' or '.join(taken)}")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise WrongMediaType("a body is taken as it is, without Content-Encoding")


async def body_of(request: Request, most_bytes: int) -> bytes:
    """The body. Raises `TooLarge` as soon as it has more bytes, `Malformed` where it does not arrive in time."""
    body = bytearray()
    with anyio.move_on_after(BODY_SECONDS):
        async for chunk in request.stream():
            body += chunk
            if len(body) > most_bytes:
                raise TooLarge(f"the body has more than {most_bytes} bytes")
        return bytes(body)
    raise Malformed(f"the body did not arrive within {BODY_SECONDS:.0f} seconds")
