"""Whose turn it is: of all that is under way, one thing goes on at a time, until it next comes to a gate."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from random import Random
from typing import Any

from bundles.core.errors import HeadraceError
from tests.system.simulation.trace import Trace

_actor: ContextVar[str] = ContextVar("actor")


class Crash(BaseException):
    """The process is killed: nothing catches it."""


class Turns:
    """Actors, each a coroutine that waits at a gate before every step that others could see."""

    def __init__(self, chance: Random, trace: Trace) -> None:
        self._chance = chance
        self._trace = trace
        self._waiting: dict[str, tuple[str, Callable[[], bool], asyncio.Future[None]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._killed: set[str] = set()
        self._stopped = asyncio.Event()
        self.fault: Exception | None = None

    def begin(self, actor: str, work: Coroutine[Any, Any, str]) -> None:
        """Something more that is under way; what it comes to is in the trace."""
        assert not self.is_busy(actor)
        self._tasks[actor] = asyncio.create_task(self._run(actor, work))

    def is_busy(self, actor: str) -> bool:
        """True until it has come to its end."""
        return actor in self._tasks

    def under_way(self) -> list[str]:
        """Who is."""
        return sorted(self._tasks)

    @property
    def are_any(self) -> bool:
        """True where anything is under way."""
        return bool(self._tasks)

    async def gate(self, step: str, when: Callable[[], bool] = lambda: True) -> None:
        """Wait for the next turn, which does not come before `when`."""
        actor = _actor.get()
        if actor in self._killed:
            raise Crash
        future = asyncio.get_running_loop().create_future()
        self._waiting[actor] = step, when, future
        self._stopped.set()
        await future

    async def take(self) -> None:
        """Let one of those go on, until it waits again or has ended."""
        await self._settle()
        ready = sorted(actor for actor, (_, when, _) in self._waiting.items() if when())
        assert ready, f"all wait for each other: {self._waiting}"
        actor = self._chance.choice(ready)
        step, _, future = self._waiting.pop(actor)
        self._trace.add(actor, step)
        self._stopped.clear()
        future.set_result(None)
        await self._settle()

    async def kill(self, actor: str) -> None:
        """End it where it is."""
        await self._settle()
        step, _, future = self._waiting.pop(actor)
        self._trace.add(actor, "killed before", step)
        self._killed.add(actor)
        self._stopped.clear()
        future.set_exception(Crash())
        await asyncio.wait([self._tasks[actor]])
        self._killed.discard(actor)

    async def _settle(self) -> None:
        while len(self._waiting) < len(self._tasks):
            await self._stopped.wait()
            self._stopped.clear()

    async def _run(self, actor: str, work: Coroutine[Any, Any, str]) -> None:
        _actor.set(actor)
        try:
            await self.gate("begins")
            self._trace.add(actor, await work)
        except HeadraceError as error:
            self._trace.add(actor, "told", type(error).__name__)
        except Crash:
            work.close()
        except Exception as error:  # noqa: BLE001 - the world raises it
            self.fault = error
        finally:
            del self._tasks[actor]
            self._stopped.set()
