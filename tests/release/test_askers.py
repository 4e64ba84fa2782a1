"""Who is known to ask: in order, from anywhere on, each once, and of those who has a build a page at a time."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from bundles.core.names import Product
from bundles.core.version import Range, Version
from release.core.askers import KnownAskers, known_to
from release.core.names import PRODUCTION, STABLE, Environment, Tenant
from release.core.plan import parse_plan
from release.core.resolve import Reason
from release.core.routing import ChannelState, Pin, PinKey, ProductRoutes, RoutingTable, Scheduled, parse_pin_key
from release.why import Held, Part, find_holders

SDK, ONE, TWO = Product("sdk"), Version("1.0.0"), Version("1.1.0")
TENANTS = st.sampled_from([Tenant(name) for name in ("A", "a", "a-b", "a.b", "a:b", "aB", "a_b", "b", "z")])
ENVIRONMENTS = st.sampled_from([Environment(name) for name in ("a-b", "production", "staging")])
KEYS = st.builds(PinKey, TENANTS, ENVIRONMENTS)
PIN = Pin(Range(TWO), "sam", "")


@st.composite
def tables(draw: st.DrawFn) -> RoutingTable:
    """With pins, tenants of whom something is known, and a plan that names some."""
    pins = {str(key): PIN for key in draw(st.sets(KEYS, max_size=8))}
    plan = parse_plan("canary,100", tuple(draw(st.sets(TENANTS, max_size=3))), None)
    state = ChannelState((ONE,), scheduled=Scheduled(TWO, plan, "salt", 9, "sam"))
    known = {tenant: {"tier": "free"} for tenant in draw(st.sets(TENANTS, max_size=5))}
    return RoutingTable(1, {SDK: ProductRoutes({STABLE: state}, pins)}, tenants=known)


def all_known(table: RoutingTable, others: list[Tenant]) -> set[PinKey]:
    routes = table.routes(SDK)
    pinned = {parse_pin_key(key) for key in routes.pins}
    scheduled = routes.channels[STABLE].scheduled
    assert scheduled is not None
    named = {*others, *table.tenants, *(key.tenant for key in pinned), *scheduled.plan.canary_tenants}
    return pinned | {PinKey(tenant, PRODUCTION) for tenant in named}


@given(tables(), st.lists(TENANTS, max_size=4), st.none() | KEYS)
def test_they_are_all_who_are_known_from_anywhere_on(
    table: RoutingTable, others: list[Tenant], last: PinKey | None
) -> None:
    whole = sorted(all_known(table, others))
    known = KnownAskers(table, SDK)
    assert known.count(others) == len(whole)
    assert list(known.after(last, others)) == [asker for asker in whole if last is None or asker > last]


@given(tables(), st.lists(TENANTS, max_size=4), st.integers(1, 4), st.integers(1, 9))
def test_the_pages_of_holders_are_all_of_them(
    table: RoutingTable, others: list[Tenant], limit: int, looked_at: int
) -> None:
    whole = find(table, others, Part(None, 100, 100))
    assert {holder.reason for holder in whole.holders} <= {Reason.PIN}
    pages = [find(table, others, Part(None, limit, looked_at))]
    while pages[-1].last is not None:
        pages.append(find(table, others, Part(pages[-1].last, limit, looked_at)))
    assert [holder for page in pages for holder in page.holders] == whole.holders
    assert {page.known for page in pages} == {whole.known}
    assert all(len(page.holders) <= limit for page in pages)


def find(table: RoutingTable, others: list[Tenant], part: Part) -> Held:
    return find_holders(table, 1, SDK, TWO, STABLE, others, part)


def test_a_page_calls_no_more_where_there_are_ten_times_as_many() -> None:
    """Once all is prepared, which is done once for a table. It is calls that are counted, not time."""
    few, many = calls_of_a_page(2_000), calls_of_a_page(20_000)
    assert 0 < many <= 1.1 * few


def calls_of_a_page(count: int) -> int:
    """The calls that a page in the midst of so many tenants and pins takes."""
    tenants = {Tenant(f"t{number:05}"): {"tier": "free"} for number in range(count)}
    pins = {f"{tenant}~staging": PIN for tenant in tenants}
    table = RoutingTable(1, {SDK: ProductRoutes({STABLE: ChannelState((ONE,))}, pins)}, tenants=tenants)
    part = Part(PinKey(Tenant("t01000"), PRODUCTION), 10, 100)
    assert known_to(table, SDK) is known_to(table, SDK)
    calls = 0

    def count_call(_frame: object, event: str, _about: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count_call)
    try:
        page = find(table, [], part)
    finally:
        sys.setprofile(None)
    assert (len(page.holders), page.known) == (10, 2 * count)
    return calls
