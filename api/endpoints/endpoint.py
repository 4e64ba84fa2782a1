"""What all endpoints share."""

from collections.abc import Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from api.core.access import Caller
from api.core.problems import TooLarge


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


async def body_of(request: Request, most_bytes: int) -> bytes:
    """The body. Raises `TooLarge` as soon as it has more bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise TooLarge(f"the body has more than {most_bytes} bytes")
    return bytes(body)
