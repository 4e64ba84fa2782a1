"""A person's way to a session, of a browser or a command line, and out of it."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from api.answers import COMMON_HEADERS
from api.core.command_line import parse_waiting
from api.core.session import COOKIE as SESSION_COOKIE
from api.core.session import SessionKind, ended_cookie, session_cookie
from api.endpoints.described import CALLBACK, LOGIN, LOGOUT, REDEEM, RedeemAsked
from api.endpoints.endpoint import Progress, body_as, body_of, session_answer
from api.endpoints.login_pages import consent_page, told_to
from api.gate import AccessGate
from api.login import COOKIE as LOGIN_COOKIE
from api.login import Login, forgotten_attempt, waiting_in
from api.perform import Plane
from api.sessions import end_session

_MAX_BODY_BYTES = 4 * 1024


class BeginLogin:
    """Sends a browser to the provider."""

    name = LOGIN.name

    def __init__(self, login: Login, gate: AccessGate) -> None:
        self._login = login
        self._gate = gate

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """The way there, and what the browser keeps until it is back."""
        del path
        progress.tell = told_to(request)
        await self._gate.admit_stranger(request)
        begun = await self._login.begin(parse_waiting(request.query_params))
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
        """The way on, with a new session, whatever session the browser had; a command line's is to a page."""
        del path
        progress.tell = told_to(request)
        await self._gate.admit_stranger(request)
        parameters, cookie = dict(request.query_params), request.cookies.get(LOGIN_COOKIE)
        if (waiting := waiting_in(cookie)) is not None:
            progress.tell = told_to(request, waiting)
            response = consent_page(waiting, await self._login.finish_for(waiting, parameters, cookie))
        else:
            secret = await self._login.finish(parameters, cookie)
            response = Response(status_code=CALLBACK.status, headers={**COMMON_HEADERS, "location": self._home})
            response.headers.append("set-cookie", session_cookie(secret))
        response.headers.append("set-cookie", forgotten_attempt())
        return response


class RedeemLogin:
    """Gives a command line its session for the code that a browser has brought there."""

    name = REDEEM.name

    def __init__(self, login: Login, gate: AccessGate) -> None:
        self._login = login
        self._gate = gate

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """The session's secret."""
        del path, progress
        await self._gate.admit_stranger(request)
        asked = body_as(RedeemAsked, await body_of(request, _MAX_BODY_BYTES))
        secret = await self._login.redeem(asked.code, asked.code_verifier)
        return session_answer(REDEEM, secret, SessionKind.COMMAND_LINE)


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
