"""Where who finds a secret of ours reports it."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from api.answers import COMMON_HEADERS
from api.core.leak_report import Reporters
from api.core.request import MAX_BODY_BYTES
from api.endpoints.described import LEAKS
from api.endpoints.endpoint import Progress, body_of
from api.gate import AccessGate
from api.leaks import report_leaks
from api.perform import Plane


class LeaksEndpoint:
    """Takes signed reports from anybody, as often as a stranger may ask."""

    name = LEAKS.name

    def __init__(self, plane: Plane, gate: AccessGate, reporters: Reporters) -> None:
        self._plane = plane
        self._gate = gate
        self._reporters = reporters

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """Nothing, whatever was found."""
        del path, progress
        await self._gate.admit_stranger(request)
        body = await body_of(request, MAX_BODY_BYTES)
        await report_leaks(self._plane, self._reporters, request.headers, body)
        return Response(status_code=LEAKS.status, headers=COMMON_HEADERS)
