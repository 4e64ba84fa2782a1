"""The gate of the HTTP API: who asks, by what the request has in its header."""

from http import HTTPStatus

from starlette.requests import Request

from api.access_log import AccessLog
from api.admission import Admission, Asking
from api.authenticate import Credential, Known
from api.core.access import Caller
from api.core.problems import kind_of
from api.core.session import COOKIE, CSRF_HEADER
from bundles.core.errors import HeadraceError


class AccessGate:
    """Lets callers in within their limits, and counts what they are refused."""

    def __init__(self, admission: Admission, log: AccessLog) -> None:
        self._admission = admission
        self._log = log

    async def admit(self, request: Request, *, changes: bool) -> Caller:
        """Who asks. Raises `NotAuthenticated`, `NotAllowed` for a forged change, and `TooMany`."""
        return (await self.admit_known(request, changes=changes)).caller

    async def admit_known(self, request: Request, *, changes: bool) -> Known:
        """The same, with what the caller is known by."""
        asking = Asking(
            credential=_credential(request),
            address=_address(request),
            is_change=changes,
            csrf=request.headers.get(CSRF_HEADER),
        )
        return await self._admission.admit(asking)

    async def check(self, request: Request) -> None:
        """Raise `NotAuthenticated` where who was let in would not be any more. It counts as no request."""
        await self._admission.check(_credential(request))

    async def admit_stranger(self, request: Request) -> None:
        """Let in who need not be known, as to log in. Raises `TooMany`."""
        await self._admission.admit_stranger(_address(request))

    def note_refusal(self, request: Request, caller: Caller | None, operation: str, fault: HeadraceError) -> None:
        """Count what was refused; what only failed is no refusal."""
        kind = kind_of(fault)
        if kind.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            name = "" if caller is None else caller.name
            self._log.refused(kind.name, address=_address(request), caller=name, operation=operation)


def _credential(request: Request) -> Credential:
    return Credential(request.headers.get("authorization"), request.cookies.get(COOKIE))


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host
