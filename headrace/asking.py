"""What a verb asks of the control plane, in the data folder or through the admin API, as its options say."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bundles.core.errors import Invalid
from headrace.options import DEFAULT_DATA, actor_or_login

if TYPE_CHECKING:
    from api.core.access import Caller
    from api.core.operation import Ask, Operation
    from api.core.page import Page
    from headrace.profiles import Profile
    from release.change import Control

A = TypeVar("A")
T = TypeVar("T")
_previewing: ContextVar[bool] = ContextVar("previewing", default=False)


@dataclass(frozen=True)  # as all verbs have it: their help does not wait for msgspec
class Asking:
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


def send(asked: "Operation[A]", asking: Asking) -> A:
    """What answers the operation."""
    import anyio

    async def run() -> A:
        async with sending(type(asked), asking) as ask:
            return await ask(asked)

    return anyio.run(run)


@asynccontextmanager
async def sending(operation: "type[Operation[Any]]", asking: Asking) -> AsyncIterator["Ask"]:
    """For who asks for the operation more than once: the server that a profile names, else the data folder.

    What only reads needs neither the key that signs, nor a right to all of the database.
    """
    from api.core.operation import Terms

    terms = Terms(asking.expect_revision, asking.idempotency_key, is_preview=_previewing.get())
    if (profile := server_for(asking)) is not None:
        from headrace import remote

        async with remote.asking_server(profile, terms) as ask_server:
            yield ask_server
        return
    from api import perform
    from headrace import sources

    caller = local_caller(asking.actor)
    folder = sources.FolderSources(asking.data, asking.database, asking.health_database)
    if perform.only_reads(operation):

        async def read(asked: "Operation[A]") -> A:
            return await perform.look(folder, caller, asked)

        yield read
        return
    from headrace import access_wiring, wiring

    async with (
        wiring.control(asking.data, asking.database) as control,
        access_wiring.access_store(asking.data, asking.database) as access,
    ):

        async def ask(asked: "Operation[A]") -> A:
            return await perform.perform(perform.Plane(control, access, folder), caller, asked, terms)

        yield ask


def server_for(asking: Asking) -> "Profile | None":
    """The server that a profile names; None where the data folder is asked.

    Raises `Invalid` for an option that would be without effect there, and nobody would know.
    """
    from headrace.profiles import chosen_profile

    profile = chosen_profile()
    if profile is not None:
        _refuse_local_options(asking)
    return profile


def local_caller(actor: str | None) -> "Caller":
    """Who has the data folder, and so may do all."""
    from api.core.access import ADMINS, Caller, Grant

    return Caller(actor_or_login(actor), Grant(roles=ADMINS))


def send_all(asked: "Operation[Page[T]]", asking: Asking) -> list[T]:
    """All items of a list, from this page on."""
    import anyio

    from api.core.page import items_of

    async def run() -> list[T]:
        async with sending(type(asked), asking) as ask:
            return [item async for item in items_of(ask, asked)]

    return anyio.run(run)


def with_control(data: Path, database: str | None, use: "Callable[[Control], Awaitable[T]]") -> T:
    """What `use` makes of the control plane in this data folder and database.

    Raises `Invalid` where a profile names a server: no server does it on somebody's behalf.
    """
    import anyio

    from headrace import wiring
    from headrace.profiles import refuse_profile

    refuse_profile()

    async def run() -> T:
        async with wiring.control(data, database) as control:
            return await use(control)

    return anyio.run(run)


def _refuse_local_options(asking: Asking) -> None:
    given = {
        "--data": asking.data != DEFAULT_DATA,
        "--database": asking.database is not None,
        "--health-database": asking.health_database is not None,
        "--actor": asking.actor is not None,
    }
    if wrong := [option for option, is_given in given.items() if is_given]:
        variable = f"HEADRACE_{wrong[0].removeprefix('--').replace('-', '_').upper()}"
        raise Invalid(f"a server has its own, and knows who you are: leave {wrong[0]} and {variable} out")
