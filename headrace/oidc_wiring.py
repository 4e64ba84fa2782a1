"""Joins logins and trusted publishing to real providers."""

from api.adapters.oidc_provider import HttpProviders
from api.app import Place
from api.core.oidc import Client
from api.core.operation import PREFIX
from api.endpoints.described import CALLBACK, EXCHANGE, LOGIN, LOGOUT, REDEEM
from api.endpoints.exchange import ExchangeEndpoint
from api.endpoints.login import BeginLogin, FinishLogin, Logout, RedeemLogin
from api.exchange import Exchange
from api.gate import AccessGate
from api.login import Login
from api.perform import Plane
from headrace.login_file import LoginFile

HOME = f"{PREFIX}/me"
"""Where a browser goes that has logged in: it says as whom."""


def oidc_places(plane: Plane, gate: AccessGate, public_url: str, login: LoginFile | None) -> list[Place]:
    """The endpoints of pipelines and, with a login file, of people who log in."""
    providers = HttpProviders()
    exchange = ExchangeEndpoint(Exchange(plane, providers, public_url), gate)
    places: list[Place] = [
        (EXCHANGE.method, EXCHANGE.path, exchange),
        (LOGOUT.method, LOGOUT.path, Logout(plane, gate)),
    ]
    if login is not None:
        client = Client(login.issuer, login.client_id, f"{public_url}{PREFIX}{CALLBACK.path}", login.client_secret)
        people = Login(plane, providers, client, login.scopes, login.groups_claim)
        places += [
            (LOGIN.method, LOGIN.path, BeginLogin(people, gate)),
            (CALLBACK.method, CALLBACK.path, FinishLogin(people, gate, HOME)),
            (REDEEM.method, REDEEM.path, RedeemLogin(people, gate)),
        ]
    return places
