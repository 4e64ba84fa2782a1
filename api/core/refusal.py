"""Refusals: who was not let do what, and why, as they are counted for the audit."""

from enum import StrEnum

import msgspec

from api.core.limits import TooMany
from bundles.core.errors import (
    Conflict,
    HeadraceError,
    Invalid,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Refused,
)

OTHERS = "others"
"""The address of refusals that are counted together, since there were too many to tell them apart."""
KEPT_SECONDS = 90 * 24 * 3600


class Why(StrEnum):
    """Why something was refused."""

    NOT_AUTHENTICATED = "not-authenticated"
    NOT_ALLOWED = "not-allowed"
    TOO_MANY_REQUESTS = "too-many-requests"
    REFUSED = "refused"
    CONFLICT = "conflict"
    NOT_FOUND = "not-found"
    MALFORMED = "malformed"
    TOO_LARGE = "too-large"


_BY_FAULT: dict[type[HeadraceError], Why] = {
    NotAuthenticated: Why.NOT_AUTHENTICATED,
    NotAllowed: Why.NOT_ALLOWED,
    TooMany: Why.TOO_MANY_REQUESTS,
    Refused: Why.REFUSED,
    Conflict: Why.CONFLICT,
    NotFound: Why.NOT_FOUND,
    Invalid: Why.MALFORMED,
}


class Refusal(msgspec.Struct, frozen=True, order=True):
    """What was refused alike within a minute, `minute` since the epoch.

    `caller` is "" where nobody was known, `operation` where the request named none. The address is that which
    limits are counted by.
    """

    minute: int
    caller: str
    address: str
    operation: str
    why: Why


class Refusals(msgspec.Struct, frozen=True):
    """A refusal, and how often there was one like it."""

    refusal: Refusal
    count: int


def why_of(fault: HeadraceError) -> Why | None:
    """Why a fault refuses what was asked; None for one of the surroundings."""
    return next((why for kind, why in _BY_FAULT.items() if isinstance(fault, kind)), None)
