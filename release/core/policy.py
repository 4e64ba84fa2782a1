"""The vendor's policy: rules for rollouts, freezes and pins, in the form in which it is written and kept."""

from typing import TypeVar

import msgspec

from bundles.core.names import Product
from release.core.freeze import Freeze
from release.core.names import Channel
from release.core.pins import PinRule
from release.core.plan import DEFAULT_STAGES, Plan, parse_duration, parse_plan
from release.core.scope import Scoped
from release.core.smoke import parse_smoke_tests

MAX_RULES = 200
DEFAULT_TIMEOUT = "60s"

Rule = TypeVar("Rule", bound=Scoped)


class RolloutRule(Scoped, frozen=True, kw_only=True):
    """How a rollout goes unless its author says otherwise, written as for `headrace rollout start`."""

    stages: str = DEFAULT_STAGES
    bake: str | None = None
    canary: tuple[str, ...] = ()
    smoke_browser: tuple[str, ...] = ()
    smoke_command: tuple[str, ...] = ()
    smoke_webhook: tuple[str, ...] = ()
    smoke_timeout: str = DEFAULT_TIMEOUT

    def __post_init__(self) -> None:
        self.plan()

    def plan(self) -> Plan:
        """The plan that it comes to. Raises `Invalid`."""
        seconds = parse_duration(self.smoke_timeout)
        tests = parse_smoke_tests(self.smoke_browser, self.smoke_command, self.smoke_webhook, seconds)
        return parse_plan(self.stages, self.canary, self.bake, tests)


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All rules. Of rollout and pin rules the first that is for a channel or product counts, of freezes each."""

    rollout: tuple[RolloutRule, ...] = ()
    freeze: tuple[Freeze, ...] = ()
    pins: tuple[PinRule, ...] = ()

    def __post_init__(self) -> None:
        for rules in (self.rollout, self.freeze, self.pins):
            if len(rules) > MAX_RULES:
                raise ValueError(f"a policy has at most {MAX_RULES} rules of a kind")

    def pin_rule(self, product: Product) -> PinRule:
        """The limits of the product's pins."""
        return next((rule for rule in self.pins if rule.is_for_product(product)), PinRule())


def first_for(rules: tuple[Rule, ...], product: Product, channel: Channel) -> Rule | None:
    """The first rule that is for this channel of this product."""
    return next((rule for rule in rules if rule.is_for(product, channel)), None)
