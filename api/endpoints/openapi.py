"""The OpenAPI document, for everyone: it says nothing of what is there."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.answers import COMMON_HEADERS
from api.core.described import Described
from api.core.openapi import document
from api.core.operation import Route
from api.endpoints.described import OPENAPI
from api.endpoints.endpoint import Progress
from api.views.plan import PlanView


class OpenApiEndpoint:
    """Says what can be asked."""

    name = OPENAPI.name

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._etag = f'"{sha256(self._body).hexdigest()[:16]}"'

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """The document."""
        del request, path, progress
        headers = {**COMMON_HEADERS, "etag": self._etag, "cache-control": "public, max-age=300"}
        return Response(self._body, headers=headers, media_type="application/json")


def openapi_json(routes: Sequence[Route], others: Sequence[Described]) -> bytes:
    """The document as it is served and checked in."""
    return msgspec.json.format(msgspec.json.encode(document(routes, others, PlanView)), indent=2) + b"\n"
