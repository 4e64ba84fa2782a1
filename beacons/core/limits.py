"""What one client or one tenant can take of a collector."""

import msgspec

REMEMBERED_SECONDS = 15 * 60
"""How long an installation is known again, at least: what is older may have been counted already."""
MAX_REQUEST_BYTES = 64 * 1024
"""Of a request as it comes, with its head and what frames a chunked body."""
MOST_REQUESTS_AHEAD = 8
"""So many requests of a connection wait for the answers to those before them."""
MOST_CELLS_OF_TENANT = 16
"""So many builds and environments of one tenant are counted in a slot."""
MOST_CELLS = 50_000
"""So many tenants, of each its builds and environments, are counted in a slot: each is a row in the database."""
MOST_ERRORS_OF_BUILD = 20
"""Of so many failed installations of a build in a slot the error is kept; all of them are counted."""
MOST_ERRORS_OF_TENANT = 5
"""The same, of a tenant: one of them must not hide what all others of a build report."""
MOST_ERRORS = 1_000
"""The same, of all."""
MOST_WRITTEN_AT_ONCE = 5_000
SECONDS_BETWEEN_WRITES = 1.0
DRAIN_SECONDS = 30.0
"""How long a collector that is to stop tries to write what it has accepted."""


class Limits(msgspec.Struct, frozen=True):
    """What an operator may set, for one process. Times are seconds."""

    beacons: int = 200_000
    """In one slot. Each is remembered in the database for a while."""
    beacons_of_tenant: int = 2_000
    """In one slot."""
    waiting: int = 20_000
    """Accepted, and not written yet."""
    connections: int = 4_096
    """The most at a time."""
    request_seconds: float = 10.0
    """From a request's first byte, or the connection's begin, until it is answered."""
    idle_seconds: int = 75
    """Between an answer and the next request. An edge must give up an idle connection sooner."""
