"""The vendor's policy: rules for rollouts, freezes, pins, approvals and checks, as they are written and kept."""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from bundles.core.errors import Invalid
from bundles.core.names import Product
from release.core.beacon_retention import BeaconRetention
from release.core.check_rule import CheckRule
from release.core.freeze import Freeze
from release.core.health_rule import HealthRule
from release.core.names import Channel
from release.core.pins import PinRule
from release.core.plan import DEFAULT_STAGES, Plan, parse_duration, parse_plan
from release.core.scope import Scoped
from release.core.smoke import parse_smoke_tests
from release.core.written import Text, Texts

MAX_RULES = 200
DEFAULT_TIMEOUT = "60s"
MAX_SALT_LENGTH = 64
_RULES = Meta(max_length=MAX_RULES)

Rule = TypeVar("Rule", bound=Scoped)


class RolloutRule(Scoped, frozen=True, kw_only=True):
    """How a rollout goes unless its author says otherwise, written as for `headrace rollout start`.

    With a `salt` of the channel's own, all its rollouts reach the same tenants first; else each reaches others.
    """

    stages: Text = DEFAULT_STAGES
    bake: Text | None = None
    canary: Texts = ()
    smoke_browser: Texts = ()
    smoke_command: Texts = ()
    smoke_webhook: Texts = ()
    smoke_timeout: Text = DEFAULT_TIMEOUT
    first: Texts = ()
    last: Texts = ()
    salt: Text | None = None

    def __post_init__(self) -> None:
        if self.salt is not None and not (self.salt.isprintable() and 0 < len(self.salt) <= MAX_SALT_LENGTH):
            raise Invalid(f"a salt is one line of 1 to {MAX_SALT_LENGTH} characters")
        self.plan()

    def plan(self) -> Plan:
        """The plan that it comes to. Raises `Invalid`."""
        seconds = parse_duration(self.smoke_timeout)
        tests = parse_smoke_tests(self.smoke_browser, self.smoke_command, self.smoke_webhook, seconds)
        return parse_plan(self.stages, self.canary, self.bake, tests, self.first, self.last)


class ApprovalRule(Scoped, frozen=True, kw_only=True):
    """Channels whose candidates leave staging only once someone else than the rollout's author approves."""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All rules. Of rollout, pin and gate rules the first that matches counts, of others each."""

    rollout: Annotated[tuple[RolloutRule, ...], _RULES] = ()
    freeze: Annotated[tuple[Freeze, ...], _RULES] = ()
    pins: Annotated[tuple[PinRule, ...], _RULES] = ()
    approval: Annotated[tuple[ApprovalRule, ...], _RULES] = ()
    gate: Annotated[tuple[HealthRule, ...], _RULES] = ()
    check: Annotated[tuple[CheckRule, ...], _RULES] = ()
    beacons: BeaconRetention = BeaconRetention()

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.check]
        if twice := {name for name in names if names.count(name) > 1}:
            raise Invalid(f"two checks are named {min(twice)!r}: give each a name of its own")

    def needs_approval(self, product: Product, channel: Channel) -> bool:
        """True where two people are needed."""
        return any(rule.is_for(product, channel) for rule in self.approval)

    def checks(self, product: Product, channel: Channel) -> list[CheckRule]:
        """The checks of the channel's rollouts."""
        return [rule for rule in self.check if rule.is_for(product, channel)]

    def pin_rule(self, product: Product) -> PinRule:
        """The limits of the product's pins."""
        return next((rule for rule in self.pins if rule.is_for_product(product)), PinRule())


def first_for(rules: tuple[Rule, ...], product: Product, channel: Channel) -> Rule | None:
    """The first rule that is for this channel of this product."""
    return next((rule for rule in rules if rule.is_for(product, channel)), None)
