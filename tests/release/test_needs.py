"""Which builds the routes need: retiring all others changes nothing for anybody."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundles.core.errors import Refused
from bundles.core.version import Range, Version
from release.core.commands import Rollback
from release.core.names import PRODUCTION, STABLE, STAGING, Channel, Tenant
from release.core.needs import needed_builds, without
from release.core.plan import parse_plan
from release.core.resolve import resolve_channel, resolve_range, resolve_tenant
from release.core.routing import Block, ChannelState, Pin, ProductRoutes, Rollout
from release.core.transition import Circumstances, transition
from tests.release.strategies import plans

LINES = [Version(f"{major}.{minor}.{patch}") for major in (1, 2) for minor in range(3) for patch in range(3)]
BUILDS = [*LINES, Version("2.3.0-beta.1"), Version("2.3.0-beta.2")]
RANGES = ["*", "1", "^1", "^1.1", "^2.0.1", "~1.0", "1.2", "2.x", ">=1.1", "1 || 2.0", "1.0 - 1.1"]
CHANNELS = [STABLE, Channel("next"), Channel("2")]

builds = st.sampled_from(BUILDS)
rollouts = st.builds(Rollout, builds, plans(), st.just("salt"), st.just(0), st.just(0))
channels = st.builds(ChannelState, st.lists(builds, unique=True, max_size=12).map(tuple), st.none() | rollouts)
pins = st.builds(
    Pin,
    st.none() | st.sampled_from([*BUILDS, *RANGES, "<1.1.2", "2.3.0-beta.x || ^2.3.0-beta.1"]).map(Range),
    st.just("sam"),
    st.just(""),
    st.none() | st.integers(1, 2_000),
)
routes = st.builds(
    ProductRoutes,
    st.dictionaries(st.sampled_from(CHANNELS), channels),
    st.dictionaries(st.sampled_from(["acme~production", "acme~staging", "zeta~production"]), pins),
    st.dictionaries(builds, st.just(Block("sam", "")), max_size=4),
)


def after_retirement(table: ProductRoutes, keep: int, now: int) -> ProductRoutes:
    """The routes once all that may go is gone."""
    gone = frozenset(BUILDS) - needed_builds(table, keep, now).keys()
    trimmed = {name: without(state, gone) for name, state in table.channels.items()}
    return msgspec.structs.replace(table, channels=trimmed, retired=gone)


def answers(table: ProductRoutes, at: int) -> list[Version | None]:
    """What everybody gets at some time."""
    tenants = [Tenant(name) for name in ("acme", "zeta", *(f"t{n}" for n in range(10)))]
    return [
        *(
            resolve_tenant(table, tenant, environment, channel, now=at, known={}).build
            for tenant in tenants
            for environment in (PRODUCTION, STAGING)
            for channel in CHANNELS
        ),
        *(resolve_channel(table, channel).build for channel in CHANNELS),
        *(resolve_range(table, Range(text)).build for text in RANGES),
    ]


@given(routes, st.integers(1, 4), st.integers(0, 1_500), st.integers(0, 1_500))
def test_nobody_gets_another_build_or_a_retired_one_now_or_later(
    table: ProductRoutes, keep: int, now: int, later: int
) -> None:
    after = after_retirement(table, keep, now)
    for at in (now, now + later):
        got = answers(after, at)
        assert got == answers(table, at)
        assert not after.retired.intersection(got)


@given(routes, st.integers(1, 4), st.sampled_from(CHANNELS), st.data())
def test_so_many_rollbacks_go_where_they_would_have_gone(
    table: ProductRoutes, keep: int, channel: Channel, data: st.DataObject
) -> None:
    after = after_retirement(table, keep, now=0)
    for _ in range(data.draw(st.integers(1, keep))):
        state = table.channels.get(channel, ChannelState())
        try:
            table = with_channel(table, channel, transition(state, Rollback(), Circumstances(0, table.blocks)))
        except Refused:
            return
        back = transition(after.channels[channel], Rollback(), Circumstances(0, after.blocks))
        after = with_channel(after, channel, back)
        assert back.stable == table.channels[channel].stable
        assert back.stable not in after.retired


STABLE_BLOCKED = ProductRoutes(
    {Channel("next"): ChannelState((LINES[2], LINES[0], LINES[1]))}, {}, {LINES[1]: Block("sam", "")}
)


@example(STABLE_BLOCKED, 1, LINES[0])
@given(routes, st.integers(1, 4), builds)
def test_a_block_of_any_one_build_leaves_each_channel_and_pin_what_it_would_have_had(
    table: ProductRoutes, keep: int, blocked: Version
) -> None:
    after = after_retirement(table, keep, now=0)
    blocks = {**table.blocks, blocked: Block("sam", "")}
    table, after = (msgspec.structs.replace(each, blocks=blocks) for each in (table, after))
    for tenant in (Tenant("acme"), Tenant("zeta")):
        for channel in CHANNELS:
            got = resolve_tenant(after, tenant, channel=channel, now=0, known={})
            assert got.build == resolve_tenant(table, tenant, channel=channel, now=0, known={}).build
            assert got.build not in after.retired


long_histories = st.permutations(LINES).map(lambda versions: ChannelState(tuple(versions[:12])))
blocks_of_some = st.dictionaries(st.sampled_from(LINES), st.just(Block("sam", "")), min_size=1, max_size=6)


@given(long_histories, blocks_of_some, st.dictionaries(st.just("acme~production"), pins), st.data())
def test_a_block_that_is_cleared_gives_everybody_what_it_would_have_given(
    channel: ChannelState, blocks: dict[Version, Block], held: dict[str, Pin], data: st.DataObject
) -> None:
    table = ProductRoutes({STABLE: channel}, held, blocks)
    after = after_retirement(table, keep=1, now=0)
    cleared = data.draw(st.sets(st.sampled_from(sorted(blocks)), min_size=1))
    left = {version: block for version, block in blocks.items() if version not in cleared}
    table, after = (msgspec.structs.replace(each, blocks=left) for each in (table, after))
    got = answers(after, at=0)
    assert got == answers(table, at=0)
    assert not after.retired.intersection(got)


def with_channel(table: ProductRoutes, channel: Channel, state: ChannelState) -> ProductRoutes:
    return msgspec.structs.replace(table, channels={**table.channels, channel: state})


def pinned(target: str, expires_at: int | None = None) -> Pin:
    return Pin(Range(target), "sam", "", expires_at)


def test_each_need_is_told_by_what_weighs_most() -> None:
    history = ("1.0.0", "1.0.1", "1.0.2", "1.1.0", "1.1.1", "1.1.2", "1.2.0")
    rollout = Rollout(Version("2.0.0"), parse_plan("100", [], None), "salt", 0, 0)
    table = ProductRoutes(
        channels={STABLE: ChannelState(tuple(Version(version) for version in history), rollout)},
        pins={
            "acme~production": pinned("1.0.1"),
            "acme~staging": pinned("~1.1.0 <1.1.2"),
            "old~production": pinned("1.0.0", expires_at=5),
        },
    )
    assert needed_builds(table, keep=1, now=5) == {
        "1.2.0": "the stable build of channel stable",
        "2.0.0": "the candidate of the rollout on channel stable",
        "1.0.1": "the build that acme~production is pinned to",
        "1.1.1": "a build that acme~staging may get by its pin to ~1.1.0 <1.1.2",
        "1.1.0": "a build that acme~staging may get by its pin to ~1.1.0 <1.1.2",
        "1.1.2": "a build that channel stable may be rolled back to",
        "1.0.2": "the newest release of 1.0",
    }


@pytest.mark.parametrize(("keep", "targets"), [(1, ["1.1.1", "1.1.0"]), (2, ["1.1.1", "1.1.0", "1.0.2"])])
def test_a_blocked_build_does_not_count_as_one_to_roll_back_to(keep: int, targets: list[str]) -> None:
    history = tuple(Version(version) for version in ("1.0.0", "1.0.1", "1.0.2", "1.1.0", "1.1.1", "1.1.2"))
    table = ProductRoutes({STABLE: ChannelState(history)}, blocks={Version("1.1.1"): Block("sam", "")})
    needs = needed_builds(table, keep, now=0)
    assert [version for version, role in needs.items() if "rolled back" in role] == targets


def test_a_blocked_newest_release_stays_beside_the_newest_that_is_not_blocked() -> None:
    history = tuple(Version(version) for version in ("1.0.0", "1.0.1", "1.0.2", "1.1.0", "1.2.0"))
    table = ProductRoutes(
        {STABLE: ChannelState(history)},
        {"acme~production": pinned("~1.0.0 <1.0.9")},
        {Version("1.0.2"): Block("sam", "")},
    )
    role = "a build that acme~production may get by its pin to ~1.0.0 <1.0.9"
    needs = needed_builds(table, keep=1, now=0)
    assert [needs.get(Version(text)) for text in ("1.0.2", "1.0.1", "1.0.0")] == [role] * 3
    needs = needed_builds(msgspec.structs.replace(table, pins={}), keep=1, now=0)
    assert [needs.get(Version(text)) for text in ("1.0.2", "1.0.1", "1.0.0")] == [
        "the newest release of 1.0"
    ] * 2 + [None]


def test_an_empty_channel_needs_nothing() -> None:
    assert needed_builds(ProductRoutes({STABLE: ChannelState()}), keep=5, now=0) == {}
