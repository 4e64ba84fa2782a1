"""Requests to the oracle, and what all of them have in common."""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

from tests.release.model.policy import Policy
from tests.release.model.state import Channel, State

INVALID, REFUSED, CONFLICT = "Invalid", "Refused", "Conflict"
DAY = 86_400


@dataclass(frozen=True)
class Who:
    """Who asks, and how."""

    actor: str
    reason: str = ""
    expected: int | None = None
    glass: bool = False
    key: str | None = None


@dataclass(frozen=True)
class Outcome:
    """Which faults may be told; without any, the revision that the request made, now or when it was sent before,
    and for a channel's command how the channel was then.
    """

    faults: frozenset[str] = frozenset()
    revision: int = 0
    channel: Channel | None = None


@dataclass(frozen=True)
class _Use:
    request: object
    at: int
    outcome: Outcome


class Requests:
    """The state, and how it is changed: by one revision for each request without a fault."""

    def __init__(self, builds: Mapping[str, Mapping[str, int]], now: int) -> None:
        """`builds` are all that are published, by product and version, each with its time."""
        self.builds = builds
        self.now = now
        self.revision = 0
        self.state = State()
        self.policy: Policy = {}
        self._keys: dict[tuple[str, str], _Use] = {}

    def _try(
        self,
        who: Who,
        request: object,
        faults: Callable[[], Iterable[str]],
        apply: Callable[[], object],
        channel: tuple[str, str] | None = None,
    ) -> Outcome:
        asked = request, replace(who, key=None)
        use = self._keys.get((who.actor, who.key or ""))
        if use is not None and self.now - use.at < DAY:
            return use.outcome if use.request == asked else Outcome(frozenset([CONFLICT]))
        found = set(faults())
        if who.expected is not None and who.expected != self.revision:
            found.add(CONFLICT)
        if found:
            return Outcome(frozenset(found))
        apply()
        self.revision += 1
        outcome = Outcome(
            revision=self.revision, channel=deepcopy(self.state.channels[channel]) if channel else None
        )
        if who.key is not None:
            self._keys[who.actor, who.key] = _Use(asked, self.now, outcome)
        return outcome

    def _standing(self, product: str) -> set[str]:
        """The builds that exist."""
        return {build for build in self.builds[product] if (product, build) not in self.state.retired}
