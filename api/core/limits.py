"""How much one caller, or one address, may ask of the API."""

import ipaddress

import msgspec

from bundles.core.errors import HeadraceError

UNKNOWN = "unknown"
MOST_ADDRESSES = 4_096
"""So many addresses are counted apart in a minute: whoever has more of them must not fill the memory."""


class TooMany(HeadraceError):
    """Who asks has asked too often. `retry_after` is in how many whole seconds it may ask again."""

    def __init__(self, message: str, retry_after: int = 60) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(HeadraceError):
    """There is no room for who asks. `retry_after` is in how many whole seconds there may be some."""

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Limits(msgspec.Struct, frozen=True):
    """What an operator may set, each for a minute and for one process."""

    reads: int = 600
    """Of one credential."""
    changes: int = 60
    """The same; a change writes to the database and to the snapshot."""
    strangers: int = 30
    """Requests of one address without a credential that is valid."""


def address_key(address: str) -> str:
    """What a client's address is counted by: one of IPv4 by itself, one of IPv6 by its /64, which one user has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
