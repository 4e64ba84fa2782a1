"""What can be asked: each operation is a frozen struct, whose fields are its arguments.

The struct is all there is to know of an operation. The HTTP server, the OpenAPI document, the clients, the table
of who may do what, and its tests are made from it, so that none of them can differ from another.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, get_args

import msgspec

from api.core.fields import ReasonField
from api.core.role import Role

PREFIX = "/api/v1"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")

A = TypeVar("A")
O_co = TypeVar("O_co", bound="type[Operation[Any]]")


class Operation(msgspec.Struct, Generic[A], frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that can be asked of the control plane; `A` is what answers it.

    Those of its fields that its path names are in the URL. The others are the query of a `GET` and a `DELETE`, and
    the JSON body of every other method, but for what takes an archive as its body.
    """


class Change(Operation[A], Generic[A], frozen=True, kw_only=True):
    """An operation that changes something; `reason` is kept in the audit trail."""

    reason: ReasonField = ""


class Ask(Protocol):
    """Asks, of a control plane that is open."""

    async def __call__(self, asked: Operation[A]) -> A:
        """What answers the operation."""
        ...


class Method(StrEnum):
    """The methods that operations have."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"


class Route(msgspec.Struct, frozen=True):
    """Where an operation is, and who may ask for it."""

    operation: type[Operation[Any]]
    method: Method
    path: str
    roles: frozenset[Role]
    status: int
    takes_archive: bool = False

    @property
    def name(self) -> str:
        """The operation's name, as in `startRollout`."""
        name = self.operation.__name__
        return name[0].lower() + name[1:]

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return (self.operation.__doc__ or "").partition("\n")[0]

    @property
    def answer(self) -> Any:
        """The type of what answers it."""
        (base,) = self.operation.__orig_bases__  # type: ignore[attr-defined]
        (answer,) = get_args(base)
        return answer

    @property
    def in_path(self) -> tuple[str, ...]:
        """The fields that are in the path, in its order."""
        return tuple(_PLACEHOLDER.findall(self.path))

    @property
    def is_change(self) -> bool:
        """True for what may change something."""
        return issubclass(self.operation, Change)

    @property
    def has_body(self) -> bool:
        """True where the fields that are not in the path are a JSON body."""
        return self.method in (Method.POST, Method.PUT) and not self.takes_archive


_routes: dict[type[Operation[Any]], Route] = {}


def route(
    method: Method, path: str, roles: frozenset[Role], status: int = 200, *, takes_archive: bool = False
) -> Callable[[O_co], O_co]:
    """Says of an operation where it is below `PREFIX`, who may ask for it, and the status of its answer.

    With `takes_archive` its body is an archive, and the fields that are not in the path are the query.
    """

    def declare(operation: O_co) -> O_co:
        _routes[operation] = Route(operation, method, path, roles, status, takes_archive)
        return operation

    return declare


def route_of(operation: type[Operation[Any]]) -> Route:
    """Where this operation is."""
    return _routes[operation]


def declared_routes() -> list[Route]:
    """The routes of all operations whose modules are loaded."""
    return list(_routes.values())


class Terms(msgspec.Struct, frozen=True):
    """On which terms a change is asked for.

    With `expected_revision` only if the routing table is still at that revision. With `key`, an idempotency key,
    it is made once, however often it is sent. With `is_preview` it is tried, and not made.
    """

    expected_revision: int | None = None
    key: str | None = None
    is_preview: bool = False


NO_TERMS = Terms()
