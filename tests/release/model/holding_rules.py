"""What is asked for pins, blocks, builds that are retired, tenants and the policy."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bundles.core.names import Product
from bundles.core.version import Version
from release.blocks import clear_block, set_block
from release.change import Author
from release.core.names import Tenant
from release.pins import clear_pin
from release.policies import apply_policy
from release.retire import Wanted, retire
from release.tenants import clear_attributes, set_attributes
from tests.release.model import driver
from tests.release.model.choices import (
    DAY,
    HOUR,
    TENANTS,
    How,
    ahead,
    attributes,
    builds,
    environments,
    hows,
    policies,
    products,
    tenants,
)
from tests.release.model.comparison import Comparison
from tests.release.model.requested import Who
from tests.release.model.state import CANDIDATES, RANGES, Pin


class HoldingRules(Comparison):
    """What holds tenants at builds, and keeps builds from them."""

    @rule(
        how=hows,
        product=products,
        tenant=tenants,
        environment=environments,
        wanted=st.sampled_from([*RANGES, CANDIDATES]) | builds,
        after=st.sampled_from([None, None, 0, HOUR, DAY, DAY, 7 * DAY, 40 * DAY]),
        by_customer=st.sampled_from([False, False, True]),
    )
    def set_pin(
        self,
        how: How,
        product: str,
        tenant: str,
        environment: str,
        wanted: str,
        after: int | None,
        by_customer: bool,
    ) -> None:
        expires = None if after is None else self.oracle.now + after
        pin = Pin(wanted, how.actor, "", expires, by_customer)
        self._once(how, self._set_pin, product, tenant, environment, pin)

    def _set_pin(self, who: Who, product: str, tenant: str, environment: str, pin: Pin) -> None:
        outcome = self.oracle.set_pin(who, product, tenant, environment, pin)
        act = driver.pin(self.system.control, who, product, tenant, environment, pin)
        self._agree("pin", outcome, act)

    @rule(how=hows, product=products, tenant=tenants, environment=environments, after=st.none() | ahead)
    def hold(self, how: How, product: str, tenant: str, environment: str, after: int | None) -> None:
        """A pin to what the tenant gets now."""
        expires = None if after is None else self.oracle.now + after
        self._once(how, self._hold, product, tenant, environment, Pin("", how.actor, "", expires))

    def _hold(self, who: Who, product: str, tenant: str, environment: str, pin: Pin) -> None:
        outcome = self.oracle.hold(who, product, tenant, environment, pin)
        act = driver.pin(self.system.control, who, product, tenant, environment, pin, hold=True)
        self._agree("hold", outcome, act)

    @precondition(lambda self: self.oracle.state.pins)
    @rule(how=hows, place=st.integers(0, 9), by_customer=st.booleans())
    def clear_pin(self, how: How, place: int, by_customer: bool) -> None:
        pins = [*sorted(self.oracle.state.pins), ("web", "t4", "qa")]
        self._once(how, self._clear_pin, *pins[place % len(pins)], by_customer)

    def _clear_pin(self, who: Who, product: str, tenant: str, environment: str, by_customer: bool) -> None:
        outcome = self.oracle.clear_pin(who, product, tenant, environment, by_customer=by_customer)
        key, author = driver.pin_key(tenant, environment), driver.author_of(who)
        act = clear_pin(self.system.control, Product(product), key, author, by_customer=by_customer)
        self._agree("unpin", outcome, act)

    @rule(
        how=hows,
        product=products,
        build=builds,
        place=st.integers(0, 9),
        clear=st.sampled_from([True, True, False]),
    )
    def block(self, how: How, product: str, build: str, place: int, clear: bool) -> None:
        blocks = [*sorted(self.oracle.state.blocks), ("sdk", "9.9.9")]
        if clear and len(blocks) > 1:
            self._once(how, self._unblock, *blocks[place % len(blocks)])
        else:
            self._once(how, self._block, product, build)

    def _block(self, who: Who, product: str, build: str) -> None:
        oracle, before = self.oracle, self._builds_of(product)
        revision = oracle.revision
        outcome = oracle.set_block(who, product, build)
        act = set_block(self.system.control, Product(product), Version(build), driver.author_of(who))
        affected = self._agree("block", outcome, act)
        if affected is None:
            return
        if is_repeated := oracle.revision == revision:
            blocks, oracle.state.blocks = oracle.state.blocks, oracle.state.blocks - {(product, build)}
            before = self._builds_of(product)
            oracle.state.blocks = blocks
        after = self._builds_of(product)
        assert driver.moved(affected) == {
            (*who, before[who], after[who]) for who in after if before[who] != after[who]
        }
        assert (affected.repeated, affected.in_force) == (is_repeated, (product, build) in oracle.state.blocks)

    def _unblock(self, who: Who, product: str, build: str) -> None:
        outcome = self.oracle.clear_block(who, product, build)
        act = clear_block(self.system.control, Product(product), Version(build), driver.author_of(who))
        self._agree("unblock", outcome, act)

    @rule(
        build=builds,
        keep=st.integers(1, 3),
        days=st.sampled_from([50, 100]),
        what=st.sampled_from([0, 0, 0, 1, 2]),
    )
    def retire_or_restart(self, build: str, keep: int, days: int, what: int) -> None:
        if what == 0:
            self.system.run(self.system.restart())
        else:
            self._retire("sdk", build if what == 1 else None, keep, days * DAY)

    def _retire(self, product: str, build: str | None, keep: int, older_than: int) -> None:
        outcome = self.oracle.retire(product, build, keep, older_than)
        named = () if build is None else (Version(build),)
        wanted = Wanted(product, driver.retention(keep, older_than), named)
        self._agree("retire", outcome, retire(self.system.control, self.system.store, wanted, Author("sam")))

    @rule(
        how=hows,
        known=st.dictionaries(tenants, attributes, min_size=1, max_size=3),
        cleared=st.sampled_from([None, None, *TENANTS]),
    )
    def know(self, how: How, known: dict[str, dict[str, str]], cleared: str | None) -> None:
        if cleared is None:
            self._once(how, self._set_attributes, known)
        else:
            self._once(how, self._clear_attributes, cleared)

    def _set_attributes(self, who: Who, known: dict[str, dict[str, str]]) -> None:
        outcome = self.oracle.set_attributes(who, known)
        real = {Tenant(tenant): about for tenant, about in known.items()}
        act = set_attributes(self.system.control, real, "some", driver.author_of(who))
        self._agree("tenants", outcome, act)

    def _clear_attributes(self, who: Who, tenant: str) -> None:
        outcome = self.oracle.clear_attributes(who, tenant)
        act = clear_attributes(self.system.control, Tenant(tenant), driver.author_of(who))
        self._agree("forget", outcome, act)

    @rule(how=hows, policy=policies)
    def apply_policy(self, how: How, policy: dict[str, Any]) -> None:
        self._once(how, self._apply_policy, policy)

    def _apply_policy(self, who: Who, policy: dict[str, Any]) -> None:
        outcome = self.oracle.apply_policy(who, policy)
        act = apply_policy(self.system.control, driver.policy_of(policy), driver.author_of(who))
        self._agree("policy", outcome, act)
