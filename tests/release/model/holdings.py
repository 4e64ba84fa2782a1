"""Pins, blocks, retired builds, tenants and the policy (docs/rollouts.md, docs/retention.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tests.release.model.plans import numbers, seconds
from tests.release.model.policy import Policy, Rule, rules_for
from tests.release.model.requested import INVALID, REFUSED, Outcome, Requests, Who
from tests.release.model.state import CANDIDATES, RANGES, Pin, newest_first


class Holdings(Requests):
    """What holds tenants at builds, and keeps builds from them."""

    def set_pin(self, who: Who, product: str, tenant: str, environment: str, pin: Pin) -> Outcome:
        """Pin a tenant, within the policy's limits."""

        def faults() -> Iterator[str]:
            return self._pin_faults(product, tenant, environment, pin)

        def apply() -> None:
            self.state.pins[product, tenant, environment] = pin

        return self._try(who, ("pin", product, tenant, environment, pin), faults, apply)

    def hold(self, who: Who, product: str, tenant: str, environment: str, pin: Pin) -> Outcome:
        """Pin a tenant to the build that it gets now; the pin has no target yet."""
        build = self.state.resolve(product, "stable", tenant, environment, self.now).build
        held = replace(pin, target=str(build))

        def faults() -> Iterator[str]:
            return iter([INVALID]) if build is None else self._pin_faults(product, tenant, environment, held)

        def apply() -> None:
            self.state.pins[product, tenant, environment] = held

        return self._try(who, ("hold", product, tenant, environment, pin), faults, apply)

    def clear_pin(self, who: Who, product: str, tenant: str, environment: str, *, by_customer: bool) -> Outcome:
        """Take a pin away."""

        def faults() -> Iterator[str]:
            if (product, tenant, environment) not in self.state.pins:
                yield INVALID
            elif by_customer and self._is_the_vendors(product, tenant, environment):
                yield REFUSED

        def apply() -> None:
            del self.state.pins[product, tenant, environment]

        return self._try(who, ("unpin", product, tenant, environment, by_customer), faults, apply)

    def set_block(self, who: Who, product: str, build: str) -> Outcome:
        """Nobody may get the build."""
        faults = [] if build in self._standing(product) else [INVALID]
        return self._try(
            who, ("block", product, build), lambda: faults, lambda: self.state.blocks.add((product, build))
        )

    def clear_block(self, who: Who, product: str, build: str) -> Outcome:
        """It may be had again."""
        faults = [] if (product, build) in self.state.blocks else [INVALID]
        return self._try(
            who, ("unblock", product, build), lambda: faults, lambda: self.state.blocks.discard((product, build))
        )

    def retire(self, product: str, named: str | None, keep: int, older_than: int) -> Outcome:
        """Builds that nobody needs stop existing: the one that is named, or else all that are old enough."""
        standing, needed = self._standing(product), self._needed(product, keep)
        if self.revision == 0 or named in needed:
            return Outcome(frozenset([REFUSED]))
        if named is not None and named not in self.builds[product]:
            return Outcome(frozenset([INVALID]))
        newest = newest_first(standing)[:keep]
        going = {
            build
            for build in standing
            if build == named
            or (named is None and not {build} & {*needed, *newest} and self._age(product, build) > older_than)
        }
        if going:
            self.state.retired |= {(product, build) for build in going}
            for (owner, _), channel in self.state.channels.items():
                if owner == product:
                    channel.history = [build for build in channel.history if build not in going]
            self.revision += 1
        return Outcome(revision=self.revision)

    def set_attributes(self, who: Who, known: Mapping[str, Mapping[str, str]]) -> Outcome:
        """What is known of tenants, in the place of what was."""

        def apply() -> None:
            self.state.about |= {tenant: dict(about) for tenant, about in known.items()}

        return self._try(who, ("tenants", known), lambda: (), apply)

    def clear_attributes(self, who: Who, tenant: str) -> Outcome:
        """Nothing is known of the tenant."""
        faults = [] if tenant in self.state.about else [INVALID]
        return self._try(who, ("forget", tenant), lambda: faults, lambda: self.state.about.pop(tenant))

    def apply_policy(self, who: Who, policy: Policy) -> Outcome:
        """In the place of the one before."""

        def apply() -> None:
            self.policy = policy

        return self._try(who, ("policy", policy), lambda: (), apply)

    def _pin_faults(self, product: str, tenant: str, environment: str, pin: Pin) -> Iterator[str]:
        yield from self._target_faults(product, pin)
        yield from self._time_faults(product, pin)
        yield from self._build_faults(product, pin)
        if pin.by_customer and self._is_the_vendors(product, tenant, environment):
            yield REFUSED
        if pin.by_customer and _kind(pin) not in self._pin_rule(product).get("customers", ()):
            yield REFUSED

    def _target_faults(self, product: str, pin: Pin) -> Iterator[str]:
        build = self.state.pinned_build(product, pin)
        if _kind(pin) == "exact" and build not in self._standing(product):
            yield INVALID
        if pin.target != CANDIDATES and (build is None or (product, build) in self.state.blocks):
            yield REFUSED

    def _time_faults(self, product: str, pin: Pin) -> Iterator[str]:
        if pin.expires is not None and pin.expires <= self.now:
            yield INVALID
        rule = self._pin_rule(product)
        names = ["longest", "customers_longest"] if pin.by_customer else ["longest"]
        for limit in (seconds(rule[name]) for name in names if name in rule):
            if pin.expires is None or pin.expires > self.now + limit:
                yield REFUSED

    def _build_faults(self, product: str, pin: Pin) -> Iterator[str]:
        """Of a build that is older, or more releases behind, than the policy allows."""
        rule, build = self._pin_rule(product), self.state.pinned_build(product, pin)
        if build is None or build not in self._standing(product):
            return
        if "oldest" in rule and self._age(product, build) > seconds(rule["oldest"]):
            yield REFUSED
        released = [each for each in self.state.released(product) if (product, each) not in self.state.blocks]
        newer = [each for each in released if newest_first({each, build}) == [each, build]]
        if len(newer) > rule.get("most_behind", len(newer)):
            yield REFUSED

    def _pin_rule(self, product: str) -> Rule:
        return next(iter(rules_for(self.policy, "pins", product)), {})

    def _is_the_vendors(self, product: str, tenant: str, environment: str) -> bool:
        pin = self.state.pins.get((product, tenant, environment))
        return pin is not None and not pin.by_customer

    def _age(self, product: str, build: str) -> int:
        return self.now - self.builds[product][build]

    def _needed(self, product: str, keep: int) -> set[str]:
        """The first six lines of the table in docs/retention.md."""
        needed: set[str] = set()
        for (owner, _), channel in self.state.channels.items():
            if owner == product:
                coming = channel.rollout or channel.scheduled
                needed |= {*channel.history[-1:], *([coming.candidate] if coming else [])}
                needed |= self._first_usable(product, channel.history[::-1], keep + 1)
        for (owner, _, _), pin in self.state.pins.items():
            if owner == product and (pin.expires is None or pin.expires > self.now) and pin.target != CANDIDATES:
                if pin.target in RANGES:
                    admitted = self.state.in_range(product, pin.target, ())
                    needed |= self._first_usable(product, admitted, keep + 1)
                else:
                    needed.add(pin.target)
        releases = [build for build in self.state.released(product) if "-" not in build]
        for line in {numbers(build)[:2] for build in releases}:
            of_line = [build for build in releases if numbers(build)[:2] == line]
            needed |= self._first_usable(product, of_line, 1)
        return needed

    def _first_usable(self, product: str, builds: list[str], count: int) -> set[str]:
        """Up to so many that are not blocked, and the blocked ones among them: a block may be cleared."""
        found: set[str] = set()
        for build in builds:
            if len({each for each in found if (product, each) not in self.state.blocks}) == count:
                break
            found.add(build)
        return found


def _kind(pin: Pin) -> str:
    return pin.target if pin.target == CANDIDATES else "range" if pin.target in RANGES else "exact"
