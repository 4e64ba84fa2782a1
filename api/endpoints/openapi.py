"""The OpenAPI document, for everyone: it says nothing of what is there."""

from collections.abc import Mapping
from hashlib import sha256

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.answers import COMMON_HEADERS
from api.core.openapi import document
from api.core.operation import Route
from api.endpoints.endpoint import Progress
from api.views.plan import PlanView

PATH = "/openapi.json"


class OpenApiEndpoint:
    """Says what can be asked."""

    name = "openapi"

    def __init__(self, routes: list[Route]) -> None:
        self._body = openapi_json(routes)
        self._etag = f'"{sha256(self._body).hexdigest()[:16]}"'

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """The document."""
        del request, path, progress
        headers = {**COMMON_HEADERS, "etag": self._etag, "cache-control": "public, max-age=300"}
        return Response(self._body, headers=headers, media_type="application/json")


def openapi_json(routes: list[Route]) -> bytes:
    """The document as it is served and checked in."""
    return msgspec.json.format(msgspec.json.encode(document(routes, PlanView)), indent=2) + b"\n"
