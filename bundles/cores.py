"""Work that fills a core: in processes beside this one, as many as there are cores."""

import os
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_process
import anyio.to_thread

from bundles.core.errors import Failed

T = TypeVar("T")

# Below it, handing the work to another process costs more than doing it; the compressors let go of the GIL.
_LARGE_BYTES = 64 * 1024


class Cores:
    """The machine's cores, shared by all that is given to one of these."""

    def __init__(self) -> None:
        self.count = os.cpu_count() or 1
        self._limiter = anyio.CapacityLimiter(self.count)

    async def run(self, work: Callable[..., T], data: bytes, *rest: object) -> T:
        """What a module's own pure function makes of the data, once a core is free."""
        if len(data) < _LARGE_BYTES:
            return await anyio.to_thread.run_sync(work, data, *rest, limiter=self._limiter)
        try:
            return await anyio.to_process.run_sync(work, data, *rest, limiter=self._limiter)
        except anyio.BrokenWorkerProcess:
            raise Failed(
                f"a process that compressed {len(data)} bytes was ended: is there memory enough?"
            ) from None
