"""Who is let in, and how often.

A caller with a valid credential is counted by that alone, so nobody who shares its address can shut it out. All
others are counted by their address. No account is ever locked: there is nothing to lock others out with.
"""

import math
import time

import msgspec
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from api.access_log import AccessLog
from api.authenticate import Credential, Known, authenticate
from api.core.limits import MOST_ADDRESSES, Limits, TooMany, address_key
from api.core.refusal import OTHERS
from api.core.session import SessionKind, check_csrf
from api.perform import Plane
from bundles.core.errors import NotAuthenticated


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a request before anything is done for it.

    `csrf` is what its header of that name has. `is_change` is false for a request that can change nothing.
    """

    credential: Credential
    address: str
    is_change: bool
    csrf: str | None = None


class Admission:
    """Lets callers in. It counts for one process, and forgets a minute later."""

    def __init__(self, plane: Plane, log: AccessLog, limits: Limits) -> None:
        self._plane = plane
        self._log = log
        self._reads = RateLimitItemPerMinute(limits.reads, 1, "reads")
        self._changes = RateLimitItemPerMinute(limits.changes, 1, "changes")
        self._strangers = RateLimitItemPerMinute(limits.strangers, 1, "strangers")
        # Each of its own: the storage looks through all that it holds at each request.
        self._by_credential = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._by_address = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._minute = 0
        self._addresses: set[str] = set()

    async def admit(self, asking: Asking) -> Known:
        """Who asks, and may go on. Raises `NotAuthenticated`, `NotAllowed` for a forged change, and `TooMany`."""
        try:
            known = await authenticate(self._plane, asking.credential, self._plane.control.clock.now())
        except NotAuthenticated:
            await self.admit_stranger(asking.address)
            raise
        await _hit(self._by_credential, self._changes if asking.is_change else self._reads, known.counted_as)
        if known.session is SessionKind.BROWSER and asking.is_change:
            check_csrf(str(asking.credential.cookie), asking.csrf)
        self._log.used(known)
        return known

    async def check(self, credential: Credential) -> None:
        """Raise `NotAuthenticated` for who is not known any more. It counts as no request."""
        await authenticate(self._plane, credential, self._plane.control.clock.now())

    async def admit_stranger(self, address: str) -> None:
        """Count a request that no credential vouches for, as one to log in. Raises `TooMany`."""
        await _hit(self._by_address, self._strangers, self._bounded(address_key(address)))

    def _bounded(self, key: str) -> str:
        """The address or, once there have been very many in this minute, what all further ones are counted by."""
        minute = self._plane.control.clock.now() // 60
        if minute != self._minute:
            self._minute, self._addresses = minute, set()
        if key not in self._addresses and len(self._addresses) >= MOST_ADDRESSES:
            return OTHERS
        self._addresses.add(key)
        return key


async def _hit(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, key: str) -> None:
    if await limiter.hit(item, key):
        return
    stats = await limiter.get_window_stats(item, key)
    seconds = max(1, math.ceil(stats.reset_time - time.time()))
    raise TooMany(f"too many requests: at most {item.amount} a minute. Try again in {seconds} s", seconds)
