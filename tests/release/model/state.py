"""What is known of all products and tenants, and which build everyone gets (docs/rollouts.md)."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from tests.release.model.plans import Plan, numbers, satisfies

RANGES: dict[str, Callable[[tuple[int, ...]], bool]] = {
    "^1": lambda version: version[0] == 1,
    "~1.1": lambda version: version[:2] == (1, 1),
    ">=1.1 <2": lambda version: (1, 1, 0) <= version < (2, 0, 0),
    "1.x || 2.x": lambda version: version[0] in (1, 2),
    "^9": lambda version: version[0] == 9,
}
"""The ranges that are tried, each with what it admits. None admits a prerelease."""

CANDIDATES = "candidates"


@dataclass
class Rollout:
    """A live rollout: at the stage in this place of its plan, since this time. `smoke` is which tests passed."""

    candidate: str
    plan: Plan
    salt: str
    since: int
    author: str
    place: int = 0
    paused: bool = False
    approved_by: str | None = None
    smoke: dict[str, bool] = field(default_factory=dict)

    @property
    def bakes_until(self) -> int | None:
        """When the controller promotes it."""
        bake = self.plan.stages[self.place].bake
        return None if self.paused or bake is None else self.since + bake


@dataclass
class Scheduled:
    """A rollout that is to begin."""

    candidate: str
    plan: Plan
    salt: str
    at: int
    author: str


@dataclass
class Channel:
    """`history` has the stable builds, the present one last."""

    history: list[str] = field(default_factory=list)
    rollout: Rollout | None = None
    scheduled: Scheduled | None = None


@dataclass(frozen=True)
class Pin:
    """The target is a version, a range or `candidates`."""

    target: str
    author: str
    reason: str
    expires: int | None = None
    by_customer: bool = False


@dataclass(frozen=True)
class Answer:
    """What a tenant gets: the build, the rule that chose it, those passed over, and when it may next change."""

    build: str | None
    reason: str
    passed: tuple[str, ...] = ()
    next_change: int | None = None


@dataclass
class State:
    """The routing table, in plain dicts."""

    channels: dict[tuple[str, str], Channel] = field(default_factory=dict)
    pins: dict[tuple[str, str, str], Pin] = field(default_factory=dict)
    blocks: set[tuple[str, str]] = field(default_factory=set)
    retired: set[tuple[str, str]] = field(default_factory=set)
    about: dict[str, dict[str, str]] = field(default_factory=dict)

    def resolve(self, product: str, channel: str, tenant: str, environment: str, now: int) -> Answer:
        """Block, then pin, then rollout, then stable."""
        passed: list[str] = []
        pin = self.pins.get((product, tenant, environment))
        opted_in = pin is not None and pin.target == CANDIDATES and not _is_over(pin, now)
        if pin is not None and _is_over(pin, now):
            passed.append("pin-expired")
        elif pin is not None and not opted_in:
            build = self.pinned_build(product, pin)
            if build is None:
                passed.append("pin-unsatisfiable")
            elif (product, build) in self.blocks:
                passed.append("pin-blocked")
            else:
                return Answer(build, "pin", (), pin.expires)
        found = self.channels.get((product, channel), Channel())
        ahead = [found.scheduled.at] if found.scheduled else []
        if found.rollout is not None:
            ahead = [at for at in (found.rollout.bakes_until, pin.expires if pin and opted_in else None) if at]
            reason = self.reached(found.rollout, tenant, environment, opted_in=opted_in)
            if reason is None and _is_below(found.rollout, tenant):
                passed.append("held-back")
            if reason is not None and (product, found.rollout.candidate) in self.blocks:
                passed.append("candidate-blocked")
                reason = None
            if reason is not None:
                return Answer(found.rollout.candidate, reason, tuple(passed), _first(ahead, now))
        usable = [build for build in found.history if (product, build) not in self.blocks]
        if found.history and (product, found.history[-1]) in self.blocks:
            passed.append("stable-blocked")
        reason = "nothing" if not usable else "stable" if usable[-1] == found.history[-1] else "earlier-stable"
        return Answer(usable[-1] if usable else None, reason, tuple(passed), _first(ahead, now))

    def reached(self, rollout: Rollout, tenant: str, environment: str, *, opted_in: bool) -> str | None:
        """By which rule the rollout has reached the tenant; the order is that of docs/rollouts.md."""
        plan, about = rollout.plan, self.about.get(tenant, {})
        if environment == "staging":
            return "staging"
        stage = plan.stages[rollout.place]
        if stage.kind == "staging":
            return None
        if tenant in plan.canary:
            return "canary"
        if opted_in:
            return "opt-in"
        for who, until in plan.held:
            if rollout.place < until and (satisfies(who, about) if "=" in who else who == tenant):
                return None
        if any(satisfies(condition, about) for condition in plan.first):
            return "first"
        if _is_below(rollout, tenant):
            return "canary" if stage.kind == "canary" else "cohort"
        return None

    def pinned_build(self, product: str, pin: Pin) -> str | None:
        """What the pin comes to: of a range the newest build that was released and is not blocked."""
        if pin.target == CANDIDATES:
            return None
        if pin.target not in RANGES:
            return pin.target
        return next(iter(self.in_range(product, pin.target, self.blocks)), None)

    def in_range(self, product: str, wanted: str, without: Collection[tuple[str, str]]) -> list[str]:
        """The released builds in a range, newest first."""
        return [
            build
            for build in self.released(product)
            if "-" not in build and RANGES[wanted](numbers(build)) and (product, build) not in without
        ]

    def released(self, product: str) -> list[str]:
        """All builds that are or were stable on `stable` or a major's channel, newest first."""
        builds = {
            build
            for (owner, name), channel in self.channels.items()
            if owner == product and (name == "stable" or name.isdigit())
            for build in channel.history
        }
        return newest_first(builds)

    def named(self, product: str) -> Iterator[tuple[str, str]]:
        """The tenants that pins, plans and attributes name, each in production and where it has a pin."""
        for owner, tenant, environment in self.pins:
            if owner == product:
                yield tenant, environment
                yield tenant, "production"
        for tenant in self.about:
            yield tenant, "production"
        for (owner, _), channel in self.channels.items():
            coming = channel.rollout or channel.scheduled
            if owner == product and coming is not None:
                by_name = [who for who, _ in coming.plan.held if "=" not in who]
                yield from ((tenant, "production") for tenant in (*coming.plan.canary, *by_name))


def bucket(salt: str, tenant: str) -> float:
    """The first 8 bytes, big-endian, of SHA-256(salt + NUL + tenant), over 2^64."""
    digest = hashlib.sha256(salt.encode() + b"\0" + tenant.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def newest_first(builds: Collection[str]) -> list[str]:
    """By precedence: a prerelease comes before its release."""
    return sorted(builds, key=lambda build: (numbers(build), "-" not in build), reverse=True)


def _is_over(pin: Pin, now: int) -> bool:
    return pin.expires is not None and pin.expires <= now


def _is_below(rollout: Rollout, tenant: str) -> bool:
    return bucket(rollout.salt, tenant) < rollout.plan.stages[rollout.place].share / 100


def _first(ahead: list[int], now: int) -> int | None:
    return min((at for at in ahead if at > now), default=None)
