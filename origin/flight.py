"""Single flight: however many ask for one thing at a time, it is fetched once."""

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Fetches under way, by key. One that gave up waiting does not end the fetch for the others."""

    def __init__(self) -> None:
        self._fetches: dict[K, asyncio.Task[V]] = {}

    async def join(self, key: K, fetch: Coroutine[Any, Any, V]) -> V:
        """The result of the fetch under way for this key, or else of the one given."""
        under_way = self._fetches.get(key)
        if under_way is None:
            under_way = self._fetches[key] = asyncio.create_task(fetch)
            under_way.add_done_callback(lambda task: self._land(key, task))
        else:
            fetch.close()
        return await asyncio.shield(under_way)

    def _land(self, key: K, task: asyncio.Task[V]) -> None:
        del self._fetches[key]
        if not task.cancelled():
            task.exception()  # looked at, so that a fault nobody waits for any more is no warning
