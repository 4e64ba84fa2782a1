"""A pipeline's ID token for a session."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from api.core.session import SessionKind
from api.endpoints.described import EXCHANGE, ExchangeAsked
from api.endpoints.endpoint import Progress, body_as, body_of, session_answer
from api.exchange import Exchange
from api.gate import AccessGate

_MAX_BODY_BYTES = 64 * 1024


class ExchangeEndpoint:
    """Takes a token from anybody, as often as a stranger may ask."""

    name = EXCHANGE.name

    def __init__(self, exchange: Exchange, gate: AccessGate) -> None:
        self._exchange = exchange
        self._gate = gate

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """The session's secret."""
        del path, progress
        await self._gate.admit_stranger(request)
        asked = body_as(ExchangeAsked, await body_of(request, _MAX_BODY_BYTES))
        secret = await self._exchange(asked.publisher, asked.token)
        return session_answer(EXCHANGE, secret, SessionKind.PIPELINE)
