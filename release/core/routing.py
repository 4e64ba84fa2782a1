"""The routing table: what every resolution is decided from. Times are whole seconds since the Unix epoch."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from bundles.core.errors import Invalid
from bundles.core.names import Product
from bundles.core.version import Range, Version, parse_version, precedence
from release.core.names import Channel, Environment, Tenant, parse_environment, parse_tenant, serves_ranges
from release.core.plan import Plan, Stage
from release.core.targeting import Attributes

if TYPE_CHECKING:
    from release.core.askers import KnownAskers
    from release.core.resolve import Choice

MAX_HISTORY = 1_000
MAX_REASON_LENGTH = 500
CANDIDATES = "candidates"
_MAX_RANGES_KNOWN = 4_096


class Progress(StrEnum):
    """Whether a live rollout may be promoted."""

    RUNNING = "running"
    PAUSED = "paused"


class Rollout(msgspec.Struct, frozen=True, omit_defaults=True):
    """A candidate on its way through a plan. It lives until it is done, aborted or rolled back.

    An approval is the rollout's own: a new candidate is a new rollout, and has none. `begun` is the revision that
    began it; 0 for one by a Headrace that did not keep that.
    """

    candidate: Version
    plan: Plan
    salt: str
    stage_index: int
    stage_since: int
    progress: Progress = Progress.RUNNING
    author: str = ""
    approved_by: str | None = None
    begun: int = 0

    def __post_init__(self) -> None:
        parse_version(self.candidate)
        if not 0 <= self.stage_index < len(self.plan.stages):
            raise Invalid(f"a rollout of {len(self.plan.stages)} stages can't be at stage {self.stage_index}")

    @property
    def identity(self) -> str:
        """What tells it from all others, also from earlier ones of the same candidate by the same salt."""
        return f"{self.salt}@{self.begun}" if self.begun else self.salt

    @property
    def stage(self) -> Stage:
        """The stage that the rollout is at."""
        return self.plan.stages[self.stage_index]

    @property
    def bakes_until(self) -> int | None:
        """When the controller will promote it, or None where a person must."""
        if self.progress is Progress.PAUSED or self.stage.bake_seconds is None:
            return None
        return self.stage_since + self.stage.bake_seconds


class Scheduled(msgspec.Struct, frozen=True):
    """A rollout that begins by itself, as soon as it may after `at`."""

    candidate: Version
    plan: Plan
    salt: str
    at: int
    author: str

    def __post_init__(self) -> None:
        parse_version(self.candidate)


class ChannelState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A channel: the builds that were its stable build, oldest first and the last one in force, and its rollout.

    A build that was rolled back is not in `history`: what was undone is chosen by nobody.
    """

    history: tuple[Version, ...] = ()
    rollout: Rollout | None = None
    scheduled: Scheduled | None = None

    def __post_init__(self) -> None:
        if self.rollout is not None and self.scheduled is not None:
            raise Invalid("a channel has one rollout, live or scheduled")
        if len(self.history) > MAX_HISTORY:
            raise Invalid(f"a channel keeps at most {MAX_HISTORY} earlier builds")
        for version in self.history:
            parse_version(version)

    @property
    def stable(self) -> Version | None:
        """The stable build; None until the channel's first rollout is done."""
        return self.history[-1] if self.history else None

    @property
    def coming(self) -> Rollout | Scheduled | None:
        """The channel's rollout, live or scheduled."""
        return self.rollout or self.scheduled


class Pin(msgspec.Struct, frozen=True, omit_defaults=True):
    """A customer's choice of build, exact or by range, until `expires_at` if that is set.

    Without a target it is opted in to candidates: it gets each as soon as the rollout has left staging.
    `by_customer` is true for one that the customer set itself.
    """

    target: Range | None
    author: str
    reason: str
    expires_at: int | None = None
    by_customer: bool = False

    @property
    def text(self) -> str:
        """Its target as it is written."""
        return CANDIDATES if self.target is None else self.target.text


class Block(msgspec.Struct, frozen=True):
    """Why nobody may get a build."""

    author: str
    reason: str


class PinKey(msgspec.Struct, frozen=True, order=True):
    """Whose pin it is. Written as `tenant~environment` in the routing table."""

    tenant: Tenant
    environment: Environment

    def __str__(self) -> str:
        return pin_name(self.tenant, self.environment)


def pin_name(tenant: Tenant, environment: Environment) -> str:
    """Whose pin it is, as the routing table writes it."""
    return f"{tenant}~{environment}"


def parse_pin_key(text: str) -> PinKey:
    """The key from its written form."""
    tenant, _, environment = text.partition("~")
    return PinKey(parse_tenant(tenant), parse_environment(environment))


def pin_order(text: str) -> str:
    """What written keys are sorted by, tenants before environments: `~` itself comes after all letters."""
    return text.replace("~", "\0")


class ProductRoutes(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """All that decides one product: its channels, its pins by `tenant~environment`, and its blocked builds.

    A retired build does not exist any more, or is about not to: no channel and no pin ever gets it again.
    """

    channels: Mapping[Channel, ChannelState] = {}
    pins: Mapping[str, Pin] = {}
    blocks: Mapping[Version, Block] = {}
    retired: frozenset[Version] = frozenset()

    @cached_property
    def released(self) -> tuple[Version, ...]:
        """The builds a range may choose, the newest first: stable ones, now or once, and never undone."""
        return tuple(sorted(self._releases() - self.blocks.keys(), key=precedence, reverse=True))

    def released_or_blocked(self) -> list[Version]:
        """The builds a range may choose now, or may once blocks are cleared, the newest first."""
        return sorted(self._releases(), key=precedence, reverse=True)

    def newest(self, wanted: Range) -> Version | None:
        """The newest released build in a range. It is looked for once: many pins hold few ranges."""
        known = self._newest
        if wanted.text not in known:
            if len(known) == _MAX_RANGES_KNOWN:
                known.clear()
            known[wanted.text] = next((version for version in self.released if wanted.admits(version)), None)
        return known[wanted.text]

    @cached_property
    def pins_in_order(self) -> list[str]:
        """Whose pins there are, as `pins` has it, by tenants and then by environments."""
        return sorted(self.pins, key=pin_order)

    @cached_property
    def choices(self) -> "dict[Channel, Choice]":
        """What resolution has prepared of the channels; it is the same as long as these routes are."""
        return {}

    @cached_property
    def _newest(self) -> dict[str, Version | None]:
        return {}

    def _releases(self) -> set[Version]:
        ranged = (channel for name, channel in self.channels.items() if serves_ranges(name))
        return {version for channel in ranged for version in channel.history}


class RoutingTable(msgspec.Struct, frozen=True, dict=True):
    """Every product's routes, and what is known of tenants, at a revision that only grows.

    `audit_head` is the hash of the audit trail's last row: with it, the signature vouches for the whole trail.
    Empty in what a Headrace without one has written.
    """

    revision: int
    products: Mapping[Product, ProductRoutes] = {}
    audit_head: str = ""
    tenants: Mapping[Tenant, Attributes] = {}

    def routes(self, product: Product) -> ProductRoutes:
        """The product's routes; empty ones where nothing of it was released."""
        return self.products.get(product, ProductRoutes())

    @cached_property
    def tenants_in_order(self) -> list[Tenant]:
        """The tenants of whom something is known."""
        return sorted(self.tenants)

    @cached_property
    def askers(self) -> "dict[Product, KnownAskers]":
        """Who is known to ask for each product, as it was prepared; it is the same as long as this table is."""
        return {}
