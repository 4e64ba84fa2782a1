"""The faults that Headrace reports to a person. Each message says what was wrong, where, and what to do."""


class HeadraceError(Exception):
    """The base of every fault with a message for a user; never shown as a traceback."""


class Invalid(HeadraceError, ValueError):
    """The input is not of the right form, or names something that does not exist."""


class NotFound(Invalid):
    """What is named does not exist."""


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
