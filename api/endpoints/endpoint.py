"""What all endpoints share."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol, TypeVar

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.answers import COMMON_HEADERS, problem_response
from api.core.access import Caller
from api.core.described import Described
from api.core.problems import Malformed, TooLarge, WrongMediaType
from api.core.session import RULES, SessionKind
from api.endpoints.described import ExchangeView
from bundles.core.errors import HeadraceError
from release.core.codec import UNREADABLE

T = TypeVar("T", bound=msgspec.Struct)

BODY_SECONDS = 60.0
"""How long a body may take to arrive; an archive has a time of its own."""


Tell = Callable[[HeadraceError, str], Response]
"""Makes the answer to a request that met this fault; the log knows it by that id."""


class Progress:
    """What is known of a request so far, for what is kept of those that were refused, and how that is told."""

    def __init__(self) -> None:
        self.caller: Caller | None = None
        self.operation = ""
        self.tell: Tell = problem_response


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


def session_answer(described: Described, secret: str, kind: SessionKind) -> Response:
    """What tells who has exchanged something for a session of its secret, and of how long it holds."""
    view = ExchangeView(secret, RULES[kind].longest)
    return Response(msgspec.json.encode(view), described.status, COMMON_HEADERS, "application/json")


def body_as(kind: type[T], body: bytes) -> T:
    """What is asked for, from JSON. Raises `Malformed`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        form = ", ".join(f'"{name}": "…"' for name in kind.__struct_fields__)
        raise Malformed(f"send {{{form}}}: {error}") from None
