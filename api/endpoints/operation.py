"""An operation at its path."""

from collections.abc import Mapping
from functools import partial

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from api.answers import answer_to
from api.core.operation import Method, Route
from api.core.request import MAX_BODY_BYTES, read_operation, read_terms
from api.endpoints.endpoint import Progress, body_of, check_media_type
from api.gate import AccessGate
from api.perform import Plane, perform
from api.views.plan import plan_of
from release.change import Previewed


class OperationEndpoint:
    """Reads the operation from a request, has it performed, and answers with what came of it."""

    def __init__(self, route: Route, plane: Plane, gate: AccessGate) -> None:
        self.name = route.name
        self._route = route
        self._plane = plane
        self._gate = gate

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """The operation's answer, or what it would do."""
        route, headers = self._route, request.headers
        caller = progress.caller = await self._gate.admit(request, changes=route.method is not Method.GET)
        caller.require_role(route.roles)  # before anything else that was sent is looked at
        body = await _json_of(request) if route.has_body else b""
        query = request.query_params.multi_items()
        asked = read_operation(route, path, query, body)
        terms = read_terms(route, query, headers.get("if-match"), headers.get("idempotency-key"))
        try:
            answer = await perform(self._plane, caller, asked, terms)
        except Previewed as tried:
            make_plan = partial(plan_of, tried, (), self._plane.control.clock.now(), only=caller.grant.tenant)
            plan = await anyio.to_thread.run_sync(make_plan)  # of a million tenants it takes seconds
            return answer_to(request, plan, 200)
        return answer_to(request, answer, route.status)


async def _json_of(request: Request) -> bytes:
    """The body. Raises `WrongMediaType` for what is no JSON."""
    body = await body_of(request, MAX_BODY_BYTES)
    if body:
        check_media_type(request, ("application/json",))
    return body
