"""What a verb asks of the control plane, in the data folder or through the admin API, as its options say."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

import anyio
import msgspec

from api.core.access import ADMINS, Caller, Grant
from api.core.operation import Operation, Terms
from api.core.page import Page
from api.perform import Plane, perform
from headrace import wiring
from headrace.access_wiring import access_store
from headrace.options import actor_or_login
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


@contextmanager
def previewing() -> Iterator[None]:
    """Within it no change is made: the first one raises `Previewed`."""
    token = _previewing.set(True)
    try:
        yield
    finally:
        _previewing.reset(token)


def send(asked: Operation[A], asking: Asking) -> A:
    """What answers the operation."""
    caller = Caller(actor_or_login(asking.actor), Grant(roles=ADMINS))
    terms = Terms(asking.expect_revision, asking.idempotency_key, is_preview=_previewing.get())

    async def use(control: Control) -> A:
        async with access_store(asking.data, asking.database) as access:
            return await perform(Plane(control, access), caller, asked, terms)

    return with_control(asking.data, asking.database, use)


def send_all(asked: Operation[Page[T]], asking: Asking) -> list[T]:
    """All items of a list, from this page on."""
    page = send(asked, asking)
    items = list(page.items)
    while page.next is not None:
        asked = msgspec.structs.replace(asked, cursor=page.next)
        page = send(asked, asking)
        items += page.items
    return items


def with_control(data: Path, database: str | None, use: Callable[[Control], Awaitable[T]]) -> T:
    """What `use` makes of the control plane in this data folder and database."""

    is_preview = _previewing.get()

    async def run() -> T:
        async with wiring.control(data, database) as control:
            return await use(msgspec.structs.replace(control, is_preview=is_preview))

    return anyio.run(run)
