"""Performs an operation on behalf of a caller: the one way in, for the HTTP server and the command line alike."""

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, TypeVar, cast

import msgspec

from api.core.access import Caller
from api.core.operation import Change, Operation, Terms, route_of
from api.ports import Access
from release.change import Author, Control

A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


class Plane(msgspec.Struct, frozen=True):
    """The real parts that operations are performed on."""

    control: Control
    access: Access


class Call(msgspec.Struct, frozen=True):
    """One operation's surroundings: what it is performed on, for whom, and on which terms."""

    plane: Plane
    caller: Caller
    terms: Terms

    @property
    def control(self) -> Control:
        """The control plane, which tries a change and does not make it where the terms say so."""
        return msgspec.structs.replace(self.plane.control, is_preview=self.terms.is_preview)

    def author(self, change: Change[Any], *, breaks_glass: bool = False) -> Author:
        """Who makes the change, for its audit row."""
        return Author(self.caller.name, change.reason, self.terms.expected_revision, breaks_glass, self.terms.key)


_handlers: dict[type[Operation[Any]], Callable[[Call, Any], Awaitable[Any]]] = {}


def handles(operation: type[Operation[Any]]) -> Callable[[F], F]:
    """Says of a function `(Call, operation) -> answer` that it performs this operation.

    Those of `api.operations.pins` are in `api.handlers.pins`, and so on.
    """

    def declare(handler: F) -> F:
        _handlers[operation] = handler
        return handler

    return declare


async def perform(plane: Plane, caller: Caller, asked: Operation[A], terms: Terms) -> A:
    """The operation's answer.

    Raises `NotAllowed`, what its use case raises, and `Previewed` for a change that was only tried.
    """
    caller.require_role(route_of(type(asked)).roles)
    caller.require_scope(getattr(asked, "product", None), getattr(asked, "tenant", None))
    return cast("A", await _handler(type(asked))(Call(plane, caller, terms), asked))


def _handler(operation: type[Operation[Any]]) -> Callable[[Call, Any], Awaitable[Any]]:
    if operation not in _handlers:  # to load all of them takes longer than most take to answer
        import_module(operation.__module__.replace(".operations.", ".handlers."))
    return _handlers[operation]
