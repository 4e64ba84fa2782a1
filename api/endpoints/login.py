"""A person's way to a session, and out of it."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from api.answers import COMMON_HEADERS
from api.core.session import COOKIE as SESSION_COOKIE
from api.core.session import ended_cookie, session_cookie
from api.endpoints.described import CALLBACK, LOGIN, LOGOUT
from api.endpoints.endpoint import Progress
from api.gate import AccessGate
from api.login import COOKIE as LOGIN_COOKIE
from api.login import Login, forgotten_attempt
from api.perform import Plane
from api.sessions import end_session


class BeginLogin:
    """Sends a browser to the provider."""

    name = LOGIN.name

    def __init__(self, login: Login, gate: AccessGate) -> None:
        self._login = login
        self._gate = gate

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """The way there, and what the browser keeps until it is back."""
        del path, progress
        await self._gate.admit_stranger(request)
        begun = await self._login.begin()
        return Response(
            status_code=LOGIN.status, headers={**COMMON_HEADERS, "location": begun.url, "set-cookie": begun.cookie}
        )


class FinishLogin:
    """Gives a browser that is back from the provider its session, and sends it on."""

    name = CALLBACK.name

    def __init__(self, login: Login, gate: AccessGate, home: str) -> None:
        self._login = login
        self._gate = gate
        self._home = home

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """The way on, with a new session, whatever session the browser had."""
        del path, progress
        await self._gate.admit_stranger(request)
        secret = await self._login.finish(dict(request.query_params), request.cookies.get(LOGIN_COOKIE))
        response = Response(status_code=CALLBACK.status, headers={**COMMON_HEADERS, "location": self._home})
        response.headers.append("set-cookie", session_cookie(secret))
        response.headers.append("set-cookie", forgotten_attempt())
        return response


class Logout:
    """Ends the session that the request was sent with."""

    name = LOGOUT.name

    def __init__(self, plane: Plane, gate: AccessGate) -> None:
        self._plane = plane
        self._gate = gate

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """Nothing, and no cookie any more. From a browser it takes the session's CSRF token, as any change."""
        del path
        progress.caller = await self._gate.admit(request, changes=True)
        authorization = request.headers.get("authorization")
        if authorization is not None:
            await end_session(self._plane.access.sessions, authorization.partition(" ")[2].strip(" "))
        else:
            await end_session(self._plane.access.sessions, request.cookies[SESSION_COOKIE])
        return Response(status_code=LOGOUT.status, headers={**COMMON_HEADERS, "set-cookie": ended_cookie()})
