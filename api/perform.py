"""Performs an operation on behalf of a caller: the one way in, for the HTTP server and the command line alike."""

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import msgspec

from api.core.access import READERS, Caller
from api.core.operation import Change, Operation, Terms, route_of
from api.ports import Access
from api.sources import Sources
from bundles.core.errors import NotFound, UnknownProduct
from bundles.core.names import Product
from release.change import Author, Control

if TYPE_CHECKING:
    from api.publish import Publishing  # slow to load, and few operations need it

A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


class Plane(msgspec.Struct, frozen=True):
    """The real parts that operations are performed on; without `publishing` nothing is published here.

    A retirement that could take longer than `most_seconds` ends then, and says what is left of it.
    """

    control: Control
    access: Access
    sources: Sources
    publishing: "Publishing | None" = None
    most_seconds: float = math.inf

    def work_time(self) -> Callable[[], bool]:
        """From now on, whether the time is over that an operation may take."""
        end = anyio.current_time() + self.most_seconds
        return lambda: anyio.current_time() >= end


class Call(msgspec.Struct, frozen=True):
    """One operation's surroundings: what it is performed on, for whom, and on which terms.

    `archive` is the file that was sent, where the operation takes one.
    """

    plane: Plane
    caller: Caller
    terms: Terms
    archive: Path | None = None

    @property
    def control(self) -> Control:
        """The control plane, which tries a change and does not make it where the terms say so."""
        return msgspec.structs.replace(self.plane.control, is_preview=self.terms.is_preview)

    def author(self, change: Change[Any], *, breaks_glass: bool = False) -> Author:
        """Who makes the change, for its audit row."""
        return Author(self.caller.name, change.reason, self.terms.expected_revision, breaks_glass, self.terms.key)


class Look(msgspec.Struct, frozen=True):
    """A reading operation's surroundings: what it reads, and for whom."""

    sources: Sources
    caller: Caller


_handlers: dict[type[Operation[Any]], Callable[[Call, Any], Awaitable[Any]]] = {}
_readers: dict[type[Operation[Any]], Callable[[Look, Any], Awaitable[Any]]] = {}


def handles(operation: type[Operation[Any]]) -> Callable[[F], F]:
    """Says of a function `(Call, operation) -> answer` that it performs this operation.

    Those of `api.operations.pins` are in `api.handlers.pins`, and so on.
    """

    def declare(handler: F) -> F:
        _handlers[operation] = handler
        return handler

    return declare


def reads(operation: type[Operation[Any]]) -> Callable[[F], F]:
    """Says of a function `(Look, operation) -> answer` that it performs this operation, which changes nothing."""

    def declare(reader: F) -> F:
        _readers[operation] = reader
        return reader

    return declare


def only_reads(operation: type[Operation[Any]]) -> bool:
    """True for an operation that needs no more than sources: no control plane, and no key that signs."""
    _load(operation)
    return operation in _readers


async def perform(
    plane: Plane, caller: Caller, asked: Operation[A], terms: Terms, archive: Path | None = None
) -> A:
    """The operation's answer.

    Raises `NotAllowed`, what its use case raises, and `Previewed` for a change that was only tried.
    """
    if only_reads(type(asked)):
        return await look(plane.sources, caller, asked)
    require_right(caller, asked)
    with _naming_what_is_theirs(caller):
        return cast("A", await _handlers[type(asked)](Call(plane, caller, terms, archive), asked))


async def look(sources: Sources, caller: Caller, asked: Operation[A]) -> A:
    """The answer of an operation that only reads. Raises as `perform` does."""
    require_right(caller, asked)
    _load(type(asked))
    with _naming_what_is_theirs(caller):
        return cast("A", await _readers[type(asked)](Look(sources, caller), asked))


def require_right(caller: Caller, asked: Operation[Any]) -> None:
    """Raise `NotAllowed` where the caller may not ask for this, by its roles or by what they are for."""
    caller.require_role(route_of(type(asked)).roles)
    caller.require_scope(getattr(asked, "product", None), getattr(asked, "tenant", None))


@contextmanager
def _naming_what_is_theirs(caller: Caller) -> Iterator[None]:
    """Within it, who asks for an unknown product is told of those that the caller's grant is for alone.

    A customer is told of none: some are named after other tenants.
    """
    try:
        yield
    except UnknownProduct as fault:
        if not caller.grant.roles & READERS:
            raise NotFound(fault.message) from None
        theirs = [product for product in fault.known if caller.grant.is_for_product(Product(product))]
        raise UnknownProduct(fault.message, theirs) from None


def _load(operation: type[Operation[Any]]) -> None:
    if operation not in _handlers and operation not in _readers:  # to load all takes longer than to answer
        import_module(operation.__module__.replace(".operations.", ".handlers."))
