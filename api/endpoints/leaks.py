"""Where who finds a secret of ours reports it."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from api.answers import COMMON_HEADERS
from api.core.described import Described, Parameter
from api.core.leak_report import MAX_LEAKS, Leak, Reporters
from api.core.operation import Method
from api.core.request import MAX_BODY_BYTES
from api.endpoints.endpoint import Progress, body_of
from api.gate import AccessGate
from api.leaks import report_leaks
from api.perform import Plane

LEAKS = Described(
    name="reportLeaks",
    method=Method.POST,
    path="/leaks",
    summary="Take back tokens and sessions that were found where others can read them.",
    description=(
        "In the form of GitHub's secret scanning, and signed as GitHub does or as Headrace's own webhooks are."
        f" At most {MAX_LEAKS} at a time. The answer does not tell which were valid."
    ),
    parameters=(
        Parameter("Headrace-Timestamp", "header", "When it was signed, in seconds since the epoch"),
        Parameter("Headrace-Signature", "header", "v1= and the HMAC-SHA-256 of the timestamp, a dot and the body"),
        Parameter("Github-Public-Key-Identifier", "header", "Which of GitHub's keys has signed"),
        Parameter("Github-Public-Key-Signature", "header", "Its signature of the body, in base64"),
    ),
    body=tuple[Leak, ...],
    status=204,
)


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
        return Response(status_code=204, headers=COMMON_HEADERS)
