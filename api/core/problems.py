"""How a fault is told: problems of RFC 9457, whose types are names that never change."""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from api.core.limits import Busy, TooMany
from bundles.core.errors import (
    Conflict,
    Failed,
    HeadraceError,
    Invalid,
    KeyReused,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Refused,
    Stale,
)

CONTENT_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:headrace:problem:"


class Malformed(Invalid):
    """The request itself is not of the right form: by its schema alone it could have been known."""


class TooLarge(Malformed):
    """The body has more bytes than are taken."""


class WrongMediaType(Malformed):
    """The body is of a kind that is not taken."""


class NoSuchMethod(Malformed):
    """The URL has other methods, which are `allowed`."""

    def __init__(self, message: str, allowed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.allowed = allowed


class Kind(msgspec.Struct, frozen=True):
    """A type of problem: its name, its status, and a title that is the same each time."""

    fault: type[HeadraceError]
    name: str
    status: HTTPStatus
    title: str

    @property
    def uri(self) -> str:
        """What identifies the type."""
        return _TYPE_PREFIX + self.name


KINDS = (
    Kind(TooLarge, "too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    Kind(WrongMediaType, "wrong-media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body is of another kind"),
    Kind(NoSuchMethod, "no-such-method", HTTPStatus.METHOD_NOT_ALLOWED, "The URL has other methods"),
    Kind(Malformed, "malformed", HTTPStatus.BAD_REQUEST, "The request is not of the right form"),
    Kind(NotAuthenticated, "not-authenticated", HTTPStatus.UNAUTHORIZED, "Who asks is not known"),
    Kind(NotAllowed, "not-allowed", HTTPStatus.FORBIDDEN, "Who asks has no right to that"),
    Kind(NotFound, "not-found", HTTPStatus.NOT_FOUND, "What is named does not exist"),
    Kind(TooMany, "too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, "Who asks has asked too often"),
    Kind(Refused, "refused", HTTPStatus.CONFLICT, "A rule forbids it now"),
    Kind(Stale, "stale", HTTPStatus.PRECONDITION_FAILED, "Somebody else has changed something first"),
    Kind(
        KeyReused,
        "idempotency-key-reused",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The idempotency key was used for another request",
    ),
    Kind(Conflict, "conflict", HTTPStatus.CONFLICT, "Somebody else has changed something first"),
    Kind(Invalid, "invalid", HTTPStatus.UNPROCESSABLE_ENTITY, "What is asked for makes no sense"),
    Kind(Failed, "failed", HTTPStatus.SERVICE_UNAVAILABLE, "The surroundings of the control plane do not work"),
    Kind(Busy, "busy", HTTPStatus.SERVICE_UNAVAILABLE, "There is no room now"),
    Kind(HeadraceError, "fault", HTTPStatus.INTERNAL_SERVER_ERROR, "A fault of the control plane's own"),
)
"""The finest first."""


class Problem(msgspec.Struct, frozen=True):
    """A fault. `detail` says what was wrong, where, and what to do; `request_id` is what the log knows it by."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


def kind_of(fault: HeadraceError) -> Kind:
    """The finest kind that the fault is of."""
    return next(kind for kind in KINDS if isinstance(fault, kind.fault))


def problem_of(fault: HeadraceError, request_id: str) -> Problem:
    """The fault as it is told."""
    kind = kind_of(fault)
    return Problem(kind.uri, kind.title, kind.status, " ".join(str(fault).split()), request_id)


def fault_of(problem: Problem) -> HeadraceError:
    """The fault that a problem tells of; by its status, where its type is one that is not known yet."""
    for kind in KINDS:
        if kind.uri == problem.type:
            return kind.fault(problem.detail)
    same = (kind for kind in reversed(KINDS) if kind.status == problem.status)
    return next(same, KINDS[-1]).fault(problem.detail)
