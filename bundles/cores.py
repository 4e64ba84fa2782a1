"""Work that fills a core: as many pieces at a time as there are cores."""

import os
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class Cores:
    """The machine's cores, shared by all that is given to one of these.

    Threads, since every compressor lets go of the GIL: to hand megabytes to other processes, and to start those,
    was measured to cost more than it gives.
    """

    def __init__(self) -> None:
        self.count = os.cpu_count() or 1
        self._limiter = anyio.CapacityLimiter(self.count)

    async def run(self, work: Callable[..., T], data: bytes, *rest: object) -> T:
        """What a pure function makes of the data, once a core is free."""
        return await anyio.to_thread.run_sync(work, data, *rest, limiter=self._limiter)
