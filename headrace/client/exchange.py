"""A pipeline's ID token for a session (docs/trusted-publishing.md)."""

from typing import cast

import httpx
import msgspec
import stamina

from api.endpoints.described import EXCHANGE, ExchangeAsked, ExchangeView
from headrace.client.retries import ATTEMPTS, RETRIES, Passing, checked, telling
from headrace.client.wire import TIMEOUT_SECONDS, read_answer, settings


def exchange(server: str, publisher: str, id_token: str) -> str:
    """The session's token, to ask the server with for its 15 minutes.

    Raises `NotAuthenticated` for an ID token that does not hold, `NotAllowed` for one of another pipeline or that
    was exchanged before, and `Failed` where nobody answers.
    """
    body = msgspec.to_builtins(ExchangeAsked(publisher, id_token))
    with httpx.Client(**settings(server, None, TIMEOUT_SECONDS)) as http:
        try:
            for attempt in stamina.retry_context(attempts=ATTEMPTS, **RETRIES):
                with attempt, telling():
                    response = checked(http.request(EXCHANGE.method, EXCHANGE.path, json=body))
                    return cast("ExchangeView", read_answer(response, ExchangeView)).token
        except Passing as passing:
            raise passing.fault from None
    raise AssertionError("an attempt returns or raises")
