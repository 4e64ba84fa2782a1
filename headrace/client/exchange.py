"""A pipeline's ID token for a session (docs/trusted-publishing.md)."""

from typing import cast

from api.endpoints.described import EXCHANGE, ExchangeAsked, ExchangeView
from headrace.client.described import ask
from headrace.client.wire import read_answer


def exchange(server: str, publisher: str, id_token: str) -> str:
    """The session's token, to ask the server with for its 15 minutes.

    Raises `NotAuthenticated` for an ID token that does not hold, `NotAllowed` for one of another pipeline or that
    was exchanged before, and `Failed` where nobody answers.
    """
    response = ask(server, EXCHANGE, body=ExchangeAsked(publisher, id_token))
    return cast("ExchangeView", read_answer(response, ExchangeView)).token
