"""Asks a server what a verb would else ask of the data folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from api.core.operation import Change, Operation, Terms
from api.views.plan import PlanView
from headrace.client import AsyncClient
from headrace.profiles import Profile

A = TypeVar("A")


class Ask(Protocol):
    """Asks, as `headrace.verbs.changes.Ask` does."""

    async def __call__(self, asked: Operation[A]) -> A:
        """What answers the operation."""
        ...


class Planned(Exception):
    """A change that a server has only tried: what it would do."""

    def __init__(self, plan: PlanView) -> None:
        super().__init__("the change was only tried")
        self.plan = plan


@asynccontextmanager
async def asking_server(profile: Profile, terms: Terms) -> AsyncIterator[Ask]:
    """What asks the server. It raises `Planned` for a change that is only to be tried."""
    async with AsyncClient(profile.server, profile.token) as client:

        async def ask(asked: Operation[A]) -> A:
            if terms.is_preview and isinstance(asked, Change):
                raise Planned(await client.plan(asked, terms))
            return await client.send(asked, terms)

        yield ask
