"""Both colours of the client of the admin API, asked alike: each call with a client of its own."""

from itertools import islice
from typing import Any

import anyio

from api.core.operation import NO_TERMS, Change, Operation, Terms
from api.views.change import EventView
from headrace.client import AsyncClient, Client


class PlainColour:
    """`Client`."""

    def __init__(self, server: str, token: str, **options: Any) -> None:
        self._made_with = (server, token), options

    def _client(self) -> Client:
        (server, token), options = self._made_with
        return Client(server, token, **options)

    def send(self, asked: Operation[Any], terms: Terms = NO_TERMS) -> Any:
        """What answers it."""
        with self._client() as client:
            return client.send(asked, terms)

    def plan(self, asked: Change[Any]) -> Any:
        """What it would do."""
        with self._client() as client:
            return client.plan(asked)

    def all(self, asked: Operation[Any]) -> list[Any]:
        """All items."""
        with self._client() as client:
            return list(client.all(asked))

    def events(self, count: int, product: str | None = None, after: int = 0) -> list[EventView]:
        """So many changes."""
        with self._client() as client:
            return list(islice(client.events(product, after), count))


class AsyncColour:
    """`AsyncClient`."""

    def __init__(self, server: str, token: str, **options: Any) -> None:
        self._made_with = (server, token), options

    def _client(self) -> AsyncClient:
        (server, token), options = self._made_with
        return AsyncClient(server, token, **options)

    def send(self, asked: Operation[Any], terms: Terms = NO_TERMS) -> Any:
        """What answers it."""

        async def run() -> Any:
            async with self._client() as client:
                return await client.send(asked, terms)

        return anyio.run(run)

    def plan(self, asked: Change[Any]) -> Any:
        """What it would do."""

        async def run() -> Any:
            async with self._client() as client:
                return await client.plan(asked)

        return anyio.run(run)

    def all(self, asked: Operation[Any]) -> list[Any]:
        """All items."""

        async def run() -> list[Any]:
            async with self._client() as client:
                return [item async for item in client.all(asked)]

        return anyio.run(run)

    def events(self, count: int, product: str | None = None, after: int = 0) -> list[EventView]:
        """So many changes."""

        async def run() -> list[EventView]:
            found: list[EventView] = []
            async with self._client() as client:
                events = client.events(product, after)
                while len(found) < count:
                    found.append(await anext(events))
                await events.aclose()
            return found

        return anyio.run(run)


COLOURS = {"plain": PlainColour, "async": AsyncColour}
