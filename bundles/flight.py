"""Single flight: however many ask for one thing at a time, it is fetched once, be it in vain."""

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any, Generic, TypeVar

from cachetools import TTLCache

from bundles.core.errors import Failed

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_FAILED_KNOWN = 10_000
FAILED_SECONDS = 1.0


class SingleFlight(Generic[K, V]):
    """Fetches under way, by key. One that gave up waiting does not end the fetch for the others.

    A fetch that `Failed` is not tried again for a second: who asks meanwhile is told the same.
    """

    def __init__(self) -> None:
        self._fetches: dict[K, asyncio.Task[V]] = {}
        self._failed: TTLCache[K, str] = TTLCache(MAX_FAILED_KNOWN, FAILED_SECONDS)

    async def join(self, key: K, fetch: Coroutine[Any, Any, V]) -> V:
        """The result of the fetch under way for this key, or else of the one given."""
        under_way = self._fetches.get(key)
        if under_way is None and (why := self._failed.get(key)) is not None:
            fetch.close()
            raise Failed(why)
        if under_way is None:
            under_way = self._fetches[key] = asyncio.create_task(fetch)
            under_way.add_done_callback(lambda task: self._land(key, task))
        else:
            fetch.close()
        return await asyncio.shield(under_way)

    def _land(self, key: K, task: asyncio.Task[V]) -> None:
        del self._fetches[key]
        # Looked at in any case, so that a fault nobody waits for any more is no warning.
        if not task.cancelled() and isinstance(fault := task.exception(), Failed):
            self._failed[key] = str(fault)
