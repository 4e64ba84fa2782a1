"""A person's login for a command line, as the server sees it (docs/login.md), and its end."""

from typing import cast

import httpx
import msgspec

from api.core.command_line import Waiting
from api.core.operation import PREFIX
from api.endpoints.described import LOGIN, LOGOUT, REDEEM, ExchangeView, RedeemAsked
from bundles.core.errors import NotAuthenticated, NotFound
from headrace.client.described import ask
from headrace.client.wire import read_answer


def login_url(server: str, waiting: Waiting) -> str:
    """Where a browser begins the login, at a server that has one.

    It is tried first: else only the browser would say what is wrong. Raises `NotFound` where nobody logs in there.
    """
    query = {name: str(value) for name, value in msgspec.structs.asdict(waiting).items()}
    try:
        ask(server, LOGIN, query=query)
    except NotFound:
        raise NotFound(
            f"nobody logs in to {server} through a browser: it runs without `headrace api --login`. Use a token"
        ) from None
    return f"{server.removesuffix('/')}{PREFIX}{LOGIN.path}?{httpx.QueryParams(query)}"


def redeem(server: str, code: str, verifier: str) -> str:
    """A session's secret for the code that a browser has brought. Raises `NotAuthenticated`."""
    response = ask(server, REDEEM, body=RedeemAsked(code, verifier))
    return cast("ExchangeView", read_answer(response, ExchangeView)).token


def end_session(server: str, secret: str) -> None:
    """End a session; one that has ended stays so. Raises `Failed` where nobody answers."""
    try:
        ask(server, LOGOUT, token=secret)
    except NotAuthenticated:
        return
