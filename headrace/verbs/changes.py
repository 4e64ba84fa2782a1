"""What a verb asks of the control plane, in the data folder or through the admin API, as its options say."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio
import msgspec

from api.core.access import ADMINS, Caller, Grant
from api.core.operation import Operation, Terms
from api.core.page import Page
from api.perform import Plane, look, only_reads, perform
from headrace import wiring
from headrace.access_wiring import access_store
from headrace.options import actor_or_login
from headrace.sources import FolderSources
from release.change import Control

A = TypeVar("A")
T = TypeVar("T")
_previewing: ContextVar[bool] = ContextVar("previewing", default=False)


class Asking(msgspec.Struct, frozen=True):
    """Whom a verb asks, for whom, and on which terms: what its options say, as they are written."""

    data: Path
    database: str | None
    actor: str | None = None
    expect_revision: int | None = None
    idempotency_key: str | None = None
    health_database: str | None = None


@contextmanager
def previewing() -> Iterator[None]:
    """Within it no change is made: the first one raises `Previewed`."""
    token = _previewing.set(True)
    try:
        yield
    finally:
        _previewing.reset(token)


class Ask(Protocol):
    """Asks, of a control plane that is open."""

    async def __call__(self, asked: Operation[A]) -> A:
        """What answers the operation."""
        ...


def send(asked: Operation[A], asking: Asking) -> A:
    """What answers the operation."""

    async def run() -> A:
        async with sending(type(asked), asking) as ask:
            return await ask(asked)

    return anyio.run(run)


@asynccontextmanager
async def sending(operation: type[Operation[Any]], asking: Asking) -> AsyncIterator[Ask]:
    """For who asks for the operation more than once.

    What only reads needs neither the key that signs, nor a right to all of the database.
    """
    caller = local_caller(asking.actor)
    sources = FolderSources(asking.data, asking.database, asking.health_database)
    if only_reads(operation):

        async def read(asked: Operation[A]) -> A:
            return await look(sources, caller, asked)

        yield read
        return
    terms = Terms(asking.expect_revision, asking.idempotency_key, is_preview=_previewing.get())
    async with (
        wiring.control(asking.data, asking.database) as control,
        access_store(asking.data, asking.database) as access,
    ):

        async def ask(asked: Operation[A]) -> A:
            return await perform(Plane(control, access, sources), caller, asked, terms)

        yield ask


def local_caller(actor: str | None) -> Caller:
    """Who has the data folder, and so may do all."""
    return Caller(actor_or_login(actor), Grant(roles=ADMINS))


def send_all(asked: Operation[Page[T]], asking: Asking) -> list[T]:
    """All items of a list, from this page on."""

    async def run() -> list[T]:
        async with sending(type(asked), asking) as ask:
            return [item async for item in items_of(ask, asked)]

    return anyio.run(run)


async def items_of(ask: Ask, asked: Operation[Page[T]]) -> AsyncGenerator[T, None]:
    """All items of a list, from this page on, as they come."""
    page = await ask(asked)
    for item in page.items:
        yield item
    while page.next is not None:
        page = await ask(msgspec.structs.replace(asked, cursor=page.next))
        for item in page.items:
            yield item


def with_control(data: Path, database: str | None, use: Callable[[Control], Awaitable[T]]) -> T:
    """What `use` makes of the control plane in this data folder and database."""

    async def run() -> T:
        async with wiring.control(data, database) as control:
            return await use(control)

    return anyio.run(run)
