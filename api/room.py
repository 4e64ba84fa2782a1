"""How many connections there may be, and how many of them one address may have."""

import ipaddress
from collections import Counter
from collections.abc import Collection

from api.core.limits import Busy, address_key
from api.core.proxies import Network


class Room:
    """Counts the connections of one server. The proxies have no share of their own: they speak for many."""

    def __init__(self, most: int, share: int, proxies: Collection[Network] = ()) -> None:
        self._most = most
        self._share = share
        self._proxies = proxies
        self._taken = 0
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str) -> None:
        """Count a connection of this address. Raises `Busy`, and counts none, where there is no room for it."""
        key = address_key(address)
        if self._taken >= self._most:
            raise Busy(f"there are {self._most} connections, the most that are taken: try again soon")
        if self._by_address[key] >= self._share and not self._is_proxy(address):
            raise Busy(f"there are {self._share} connections from {key}, the most of one address: close some")
        self._taken += 1
        self._by_address[key] += 1

    def leave(self, address: str) -> None:
        """A connection that was counted is over."""
        key = address_key(address)
        self._taken -= 1
        self._by_address[key] -= 1
        if not self._by_address[key]:
            del self._by_address[key]

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)
