"""Pins within the vendor's policy: limits, warnings, and what a customer may do itself."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid, Refused
from bundles.core.names import Product
from bundles.core.version import Range, Version
from release.blocks import set_block
from release.change import Author, Control
from release.core.commands import Promote, Start
from release.core.moves import Move
from release.core.names import PRODUCTION, STABLE, STAGING, Tenant
from release.core.pins import PinKind, PinnedBuild, PinRule, check_pin, check_replaced, kind_of, warnings
from release.core.plan import parse_duration, parse_plan
from release.core.policy import Policy
from release.core.routing import Block, Pin, PinKey, ProductRoutes
from release.pins import clear_pin, list_pins, pins_ending, present_build, set_pin
from release.policies import apply_policy
from release.rollouts import command_channel
from tests.release.conftest import at
from tests.release.strategies import pins

SDK = Product("sdk")
ONE, TWO, THREE = Version("1.0.0"), Version("1.1.0"), Version("1.2.0")
SAM = Author("sam")
ACME, ZETA = PinKey(Tenant("acme"), PRODUCTION), PinKey(Tenant("zeta"), STAGING)
DAY = 86_400

durations = st.none() | st.sampled_from(["1m", "10m", "1h"])
rules = st.builds(
    PinRule,
    longest=durations,
    oldest=durations,
    most_behind=st.none() | st.integers(0, 3),
    customers=st.sets(st.sampled_from(PinKind)).map(tuple),
    customers_longest=durations,
)
builds = st.none() | st.builds(PinnedBuild, st.just(ONE), st.none() | st.integers(-9_000, 0), st.integers(0, 5))


def pin(target: str | None = "1.0.0", expires_at: int | None = None, *, by_customer: bool = False) -> Pin:
    return Pin(None if target is None else Range(target), "sam", "", expires_at, by_customer)


def allowed(rule: PinRule, pin: Pin, build: PinnedBuild | None) -> bool:
    try:
        check_pin(rule, pin, build, 0)
    except Refused:
        return False
    return True


@given(rules, pins, builds)
def test_a_pin_is_allowed_exactly_within_the_limits(rule: PinRule, pin: Pin, build: PinnedBuild | None) -> None:
    ends = float("inf") if pin.expires_at is None else pin.expires_at
    published_at = None if build is None else build.published_at
    within = [
        rule.longest is None or ends <= parse_duration(rule.longest),
        rule.oldest is None or published_at is None or -published_at <= parse_duration(rule.oldest),
        rule.most_behind is None or build is None or build.behind <= rule.most_behind,
    ]
    assert allowed(rule, pin, build) == all(within)


@given(rules, pins, builds)
def test_a_customer_may_do_no_more_than_the_vendor(rule: PinRule, pin: Pin, build: PinnedBuild | None) -> None:
    own = Pin(pin.target, pin.author, pin.reason, pin.expires_at, by_customer=True)
    if allowed(rule, own, build):
        assert kind_of(own) in rule.customers
        assert allowed(rule, pin, build)


@pytest.mark.parametrize("present", [None, pin(by_customer=True), pin()], ids=["none", "its own", "the vendor's"])
def test_a_customer_changes_no_pin_but_its_own(present: Pin | None) -> None:
    check_replaced(present, by_customer=False)
    if present is None or present.by_customer:
        check_replaced(present, by_customer=True)
    else:
        with pytest.raises(Refused, match="for the vendor"):
            check_replaced(present, by_customer=True)


@pytest.mark.parametrize(
    ("held", "build", "told"),
    [
        (pin(), PinnedBuild(ONE, 0, 0), []),
        (pin(None), None, []),
        (pin(expires_at=100 * DAY), PinnedBuild(ONE, 99 * DAY, 0), ["it ends in less than 3d"]),
        (pin(expires_at=90 * DAY), PinnedBuild(ONE, 99 * DAY, 0), ["it has expired"]),
        (pin("^9"), None, ["no released build is in its range"]),
        (pin("1.1.0"), PinnedBuild(TWO, 99 * DAY, 0), ["its build is blocked"]),
        (pin(), PinnedBuild(ONE, 9 * DAY, 0), ["1.0.0 was published 90 days ago: a pinned build may be 60d old"]),
        (pin(), PinnedBuild(ONE, None, 7), ["1.0.0 is 7 releases behind: a pin may be 5 behind at most"]),
    ],
)
def test_what_is_to_be_said_of_a_pin(held: Pin, build: PinnedBuild | None, told: list[str]) -> None:
    rule = PinRule(oldest="60d", most_behind=5, warn="3d")
    now = 99 * DAY if build is None or build.published_at else 50 * DAY
    found = warnings(rule, ProductRoutes(blocks={TWO: Block("sam", "")}), held, build, now)
    assert len(found) == len(told)
    assert all(text.startswith(expected) for text, expected in zip(found, told, strict=True))


@pytest.mark.parametrize("build", [lambda: PinRule(longest="ages"), lambda: PinRule(most_behind=-1)])
def test_a_rule_that_makes_no_sense_is_invalid(build: object) -> None:
    with pytest.raises(Invalid):
        build()  # type: ignore[operator]


async def released(control: Control, *versions: Version) -> None:
    for version in versions:
        start = Start(version, parse_plan("100", [], None), "salt")
        await command_channel(control, SDK, STABLE, start, SAM)
        await command_channel(control, SDK, STABLE, Promote(), SAM)


@pytest.mark.anyio
async def test_the_policy_limits_pins_as_they_are_set(control: Control) -> None:
    await released(control, ONE, TWO, THREE)
    rule = PinRule(longest="30d", most_behind=1, customers=(PinKind.RANGE,), customers_longest="7d")
    await apply_policy(control, Policy(pins=(PinRule(products=("other",)), rule)), SAM)
    now = int(time.time())
    for refused, why in [
        (pin("1.1.0"), "may last 30d at most"),
        (pin("1.1.0", now + 31 * DAY), "may last 30d at most"),
        (pin("1.0.0", now + DAY), "1.0.0 is 2 releases behind"),
        (pin("~1.0", now + DAY), "1.0.0 is 2 releases behind"),
        (pin("1.2.0", now + DAY, by_customer=True), "may not set a pin of kind exact itself; those it may: range"),
        (pin("^1.1", now + 8 * DAY, by_customer=True), "may last 7d at most"),
    ]:
        with pytest.raises(Refused, match=why):
            await set_pin(control, SDK, ACME, refused, SAM)
    assert await list_pins(control, SDK) == {}
    await set_pin(control, SDK, ACME, pin("^1.1", now + 6 * DAY, by_customer=True), SAM)
    await set_pin(control, SDK, ACME, pin("1.1.0", now + 6 * DAY), SAM)
    with pytest.raises(Refused, match="can't change it"):
        await set_pin(control, SDK, ACME, pin("^1.1", now + 6 * DAY, by_customer=True), SAM)
    with pytest.raises(Refused, match="can't change it"):
        await clear_pin(control, SDK, ACME, SAM, by_customer=True)


@pytest.mark.anyio
async def test_pins_that_end_soon_are_told_of_ahead(control: Control) -> None:
    await released(control, ONE)
    now = int(time.time())
    await set_pin(control, SDK, ACME, pin("1.0.0", now + 20 * DAY), SAM)
    await set_pin(control, SDK, ZETA, pin("1.0.0"), SAM)
    assert await pins_ending(control) == []
    soon = at(control, now + 7 * DAY)
    assert [key for _, key, _ in await pins_ending(soon)] == ["acme~production"]
    watched = await list_pins(soon, SDK)
    assert watched["acme~production"].warnings == ("it ends in less than 14d",)
    assert watched["zeta~staging"].warnings == ()


@pytest.mark.anyio
async def test_a_tenant_is_held_at_what_it_gets_now(control: Control) -> None:
    with pytest.raises(Invalid, match="gets no build"):
        await present_build(control, SDK, ACME)
    await released(control, ONE, TWO)
    assert await present_build(control, SDK, ACME) == Range("1.1.0")
    await set_pin(control, SDK, ACME, pin("1.0.0"), SAM)
    assert await present_build(control, SDK, ACME) == Range("1.0.0")


@pytest.mark.anyio
async def test_a_block_lists_each_tenant_that_it_moves(control: Control) -> None:
    await released(control, ONE, TWO)
    for key, target in ((ACME, "1.1.0"), (ZETA, "~1.1"), (PinKey(Tenant("old"), PRODUCTION), "1.0.0")):
        await set_pin(control, SDK, key, pin(target), SAM)
    assert (await set_block(control, SDK, TWO, SAM)).moves == [
        Move(Tenant("acme"), PRODUCTION, TWO, ONE),
        Move(Tenant("zeta"), PRODUCTION, TWO, ONE),
        Move(Tenant("zeta"), STAGING, TWO, ONE),
    ]
