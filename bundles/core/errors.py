"""The faults that Headrace reports to a person. Each message says what was wrong, where, and what to do."""

from collections.abc import Sequence

_MOST_NAMED = 10


class HeadraceError(Exception):
    """The base of every fault with a message for a user; never shown as a traceback."""


class Invalid(HeadraceError, ValueError):
    """The input is not of the right form, or names something that does not exist."""


class NotFound(Invalid):
    """What is named does not exist."""


class UnknownProduct(NotFound):
    """A product is named of which nothing is known; `known` are those that there are, for who may know them."""

    def __init__(self, message: str, known: Sequence[str]) -> None:
        listed = ", ".join(known[:_MOST_NAMED]) or "none: publish a build first"
        super().__init__(f"{message}; known are {listed}")
        self.message = message
        self.known = known


class Refused(HeadraceError):
    """The input is well formed, but a rule forbids it: a build is immutable, a stage is paused, and so on."""


class Conflict(HeadraceError):
    """Someone else changed the state first."""


class Stale(Conflict):
    """The routing table is not at the revision that was expected any more."""


class KeyReused(Conflict):
    """The idempotency key was used for another request."""


class Failed(HeadraceError):
    """The surroundings do not work: a full disk, a damaged file, a port in use."""


class NotAllowed(HeadraceError):
    """Who asks is known, and has no right to it."""


class NotAuthenticated(NotAllowed):
    """Who asks is not known: nothing, or nothing that is valid, says who it is."""
