"""What one client can take of an origin: the bounds of a request, of time, and of the number of connections."""

import msgspec

MAX_HEAD_BYTES = 32 * 1024
"""Of a request: its line and all its header fields."""
MAX_TARGET_BYTES = 8 * 1024
"""Of a request's target: its path and query."""
MAX_FIELDS = 100
"""The header fields of a request."""
LINGER_SECONDS = 2.0
"""How long a connection that was told its end may go on sending, so that the client reads why."""


class Limits(msgspec.Struct, frozen=True):
    """What an operator may set. Times are seconds, and looked at once a second."""

    connections: int = 16_384
    """The most at a time, of one process."""
    head_seconds: float = 10.0
    """From a request's first byte, or the connection's begin, until its head is whole."""
    idle_seconds: float = 75.0
    """Between an answer and the next request. An edge must give up an idle connection sooner."""
    stalled_seconds: float = 30.0
    """In which a client that is sent an answer takes none of it."""
