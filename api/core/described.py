"""What is at a URL and is no operation, as the login: the OpenAPI document tells of it by this."""

from typing import Any

import msgspec

from api.core.operation import Method

EVENT_STREAM = "text/event-stream"


class Parameter(msgspec.Struct, frozen=True):
    """What is read from the URL's query or from a header field; `kind` is its type."""

    name: str
    place: str
    description: str
    required: bool = False
    kind: Any = str


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint below the API's prefix.

    `body` and `answer` are the types of the JSON that is sent and answered, None where that is none; the data of
    each event of a stream is an `answer`. `page` is what else is shown in HTML, with the status 200. With
    `is_public` it asks for no credential: each address has the requests of a stranger.
    """

    name: str
    method: Method
    path: str
    summary: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    answer: Any = None
    status: int
    media_type: str = "application/json"
    page: str | None = None
    tag: str = "access"
    is_public: bool = True
