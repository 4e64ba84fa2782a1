"""Asks for what is no operation, as the login."""

from collections.abc import Mapping

import httpx
import msgspec
import stamina

from api.core.described import Described
from headrace.client.retries import ATTEMPTS, RETRIES, Passing, fault_in, telling
from headrace.client.wire import TIMEOUT_SECONDS, settings


def ask(
    server: str,
    endpoint: Described,
    *,
    token: str | None = None,
    query: Mapping[str, str] | None = None,
    body: msgspec.Struct | None = None,
) -> httpx.Response:
    """The response, if it has the endpoint's status; a redirect is not followed.

    Raises the fault that the server tells of, `Failed` where none answers.
    """
    sent = None if body is None else msgspec.to_builtins(body)
    with httpx.Client(**settings(server, token, TIMEOUT_SECONDS)) as http:
        try:
            for attempt in stamina.retry_context(attempts=ATTEMPTS, **RETRIES):
                with attempt, telling():
                    response = http.request(endpoint.method, endpoint.path, params=query, json=sent)
                    if response.status_code == endpoint.status:
                        return response
                    raise fault_in(response)
        except Passing as passing:
            raise passing.fault from None
    raise AssertionError("an attempt returns or raises")
