"""An operation whose body is an archive."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from api.answers import answer_to
from api.core.operation import NO_TERMS, Route
from api.core.request import ARCHIVE_TYPES, read_operation
from api.endpoints.endpoint import Progress, check_media_type
from api.gate import AccessGate
from api.perform import Plane, perform, require_right
from api.publish import received
from bundles.core.errors import Failed


class ArchiveEndpoint:
    """Receives the archive into a file once all else is known to be right, and answers with what became of it."""

    def __init__(self, route: Route, plane: Plane, gate: AccessGate) -> None:
        self.name = route.name
        self._route = route
        self._plane = plane
        self._gate = gate

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """What was created, or was there already."""
        caller = progress.caller = await self._gate.admit(request, changes=True)
        caller.require_role(self._route.roles)  # before anything else that was sent is looked at
        asked = read_operation(self._route, path, request.query_params.multi_items(), b"")
        require_right(caller, asked)
        check_media_type(request, ARCHIVE_TYPES)
        if self._plane.publishing is None:
            raise Failed("nothing is published here: no place to unpack archives is named")
        async with received(self._plane.publishing, request.stream()) as archive:
            answer = await perform(self._plane, caller, asked, NO_TERMS, archive)
        created = getattr(answer, "created", True)
        return answer_to(request, answer, self._route.status if created else HTTPStatus.OK)
