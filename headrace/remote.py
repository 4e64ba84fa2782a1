"""Asks a server what a verb would else ask of the data folder."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from stamina.instrumentation import set_on_retry_hooks

from api.core.operation import Ask, Change, Operation, Terms
from api.views.change import EventView
from api.views.plan import PlanView
from bundles.core.errors import NotAuthenticated
from headrace.client import AsyncClient
from headrace.profiles import Profile, login_again

A = TypeVar("A")


class Planned(Exception):
    """A change that a server has only tried: what it would do."""

    def __init__(self, plan: PlanView) -> None:
        super().__init__("the change was only tried")
        self.plan = plan


@asynccontextmanager
async def asking_server(profile: Profile, terms: Terms) -> AsyncIterator[Ask]:
    """What asks the server. It raises `Planned` for a change that is only to be tried."""
    async with client_of(profile) as client:

        async def ask(asked: Operation[A]) -> A:
            if terms.is_preview and isinstance(asked, Change):
                raise Planned(await client.plan(asked, terms))
            return await client.send(asked, terms)

        yield ask


@asynccontextmanager
async def following(
    profile: Profile, product: str | None, after: int
) -> AsyncIterator[AsyncGenerator[EventView, None]]:
    """Each change that the server tells of, as it is made."""
    async with client_of(profile) as client, aclosing(client.events(product, after)) as events:
        yield events


@asynccontextmanager
async def client_of(profile: Profile) -> AsyncIterator[AsyncClient]:
    """A client of the profile's server, for a verb. Who is told of a session that has ended is told what to do."""
    set_on_retry_hooks([])  # a verb says in one line what has come of it
    async with AsyncClient(profile.server, profile.token) as client:
        try:
            yield client
        except NotAuthenticated as fault:
            raise NotAuthenticated(login_again(profile) if profile.is_session else str(fault)) from None
