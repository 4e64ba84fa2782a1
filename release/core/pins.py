"""What the vendor's policy allows of a pin, and what is to be said of one that is there."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from bundles.core.errors import Invalid, Refused
from bundles.core.version import Version, precedence
from release.core.plan import parse_duration
from release.core.routing import Pin, ProductRoutes
from release.core.scope import ForProducts
from release.core.written import Text

DAY_SECONDS = 86_400


class PinKind(StrEnum):
    """An exact build, the newest released one in a range, or each candidate once it has left staging."""

    EXACT = "exact"
    RANGE = "range"
    CANDIDATES = "candidates"


class PinRule(ForProducts, frozen=True, kw_only=True):
    """The limits of a product's pins; without one, there is no limit, but a customer may set none itself.

    `longest` is how long a pin may last from now, `oldest` how long ago its build may have been published, and
    `most_behind` how many newer releases there may be. Of those that end within `warn` is told ahead. `customers`
    are the kinds that a customer may set for itself, each for at most `customers_longest`.
    """

    longest: Text | None = None
    oldest: Text | None = None
    most_behind: int | None = None
    warn: Text = "14d"
    customers: Annotated[tuple[PinKind, ...], Meta(max_length=len(PinKind))] = ()
    customers_longest: Text | None = None

    def __post_init__(self) -> None:
        for duration in (self.longest, self.oldest, self.warn, self.customers_longest):
            if duration is not None:
                parse_duration(duration)
        if self.most_behind is not None and self.most_behind < 0:
            raise Invalid(f"a pin can't be {self.most_behind} releases behind")


class PinnedBuild(msgspec.Struct, frozen=True):
    """The build that a pin comes to now, when it was published if known, and how many releases are newer."""

    version: Version
    published_at: int | None
    behind: int


def kind_of(pin: Pin) -> PinKind:
    """What kind of pin it is."""
    if pin.target is None:
        return PinKind.CANDIDATES
    return PinKind.RANGE if pin.target.exact is None else PinKind.EXACT


def pinned_version(routes: ProductRoutes, pin: Pin) -> Version | None:
    """The build that the pin comes to, blocked or not; None for candidates and for a range without a release."""
    if pin.target is None:
        return None
    return pin.target.exact or routes.newest(pin.target)


def releases_behind(routes: ProductRoutes, version: Version) -> int:
    """How many released builds are newer."""
    return sum(precedence(released) > precedence(version) for released in routes.released)


def check_pin(rule: PinRule, pin: Pin, build: PinnedBuild | None, now: int) -> None:
    """Raises `Refused` for a pin that the policy does not allow. `now` is in seconds since the epoch."""
    longest = [rule.longest]
    if pin.by_customer:
        longest.append(rule.customers_longest)
        if kind_of(pin) not in rule.customers:
            allowed = ", ".join(rule.customers) or "none"
            raise Refused(f"a customer may not set a pin of kind {kind_of(pin)} itself; those it may: {allowed}")
    for limit in filter(None, longest):
        if pin.expires_at is None or pin.expires_at > now + parse_duration(limit):
            raise Refused(f"a pin may last {limit} at most: name an earlier end")
    for limit in _limits_broken(rule, build, now):
        raise Refused(limit)


def check_replaced(present: Pin | None, *, by_customer: bool) -> None:
    """Raises `Refused` where a customer would change or clear a pin that it did not set itself."""
    if by_customer and present is not None and not present.by_customer:
        raise Refused(f"the pin was set by {present.author} for the vendor: a customer can't change it")


def warnings(rule: PinRule, routes: ProductRoutes, pin: Pin, build: PinnedBuild | None, now: int) -> list[str]:
    """What whoever looks after a pin should know, in words; nothing where all is well."""
    told = []
    if pin.expires_at is not None and now >= pin.expires_at:
        told.append("it has expired")
    elif ends_soon(rule, pin, now):
        told.append(f"it ends in less than {rule.warn}")
    if build is None and pin.target is not None:
        told.append("no released build is in its range")
    if build is not None and build.version in routes.blocks:
        told.append("its build is blocked")
    return [*told, *_limits_broken(rule, build, now)]


def ends_soon(rule: PinRule, pin: Pin, now: int) -> bool:
    """True for a pin that has not ended, but will within the policy's time of warning."""
    return pin.expires_at is not None and now < pin.expires_at <= now + parse_duration(rule.warn)


def _limits_broken(rule: PinRule, build: PinnedBuild | None, now: int) -> Iterator[str]:
    if build is None:
        return
    if rule.oldest is not None and build.published_at is not None:
        days = (now - build.published_at) // DAY_SECONDS
        if now - build.published_at > parse_duration(rule.oldest):
            yield f"{build.version} was published {days} days ago: a pinned build may be {rule.oldest} old at most"
    if rule.most_behind is not None and build.behind > rule.most_behind:
        yield f"{build.version} is {build.behind} releases behind: a pin may be {rule.most_behind} behind at most"
