"""Which builds clients most probably hold."""

from bundles.core.version import Version
from release.core.held import held_builds
from release.core.names import STABLE, Channel
from release.core.plan import parse_plan
from release.core.routing import Block, ChannelState, ProductRoutes, Rollout

ONE, TWO, THREE, FOUR = (Version(f"{number}.0.0") for number in range(1, 5))


def test_the_stable_build_comes_first_then_the_candidate_then_the_ones_before_and_no_blocked_one() -> None:
    rollout = Rollout(FOUR, parse_plan("100", (), None), "salt", 0, 0)
    routes = ProductRoutes(
        channels={STABLE: ChannelState((ONE, TWO, THREE, TWO), rollout)}, blocks={THREE: Block("sam", "")}
    )
    assert held_builds(routes, STABLE, 9) == [TWO, FOUR, ONE]
    assert held_builds(routes, STABLE, 2) == [TWO, FOUR]
    assert held_builds(routes, Channel("next"), 3) == []
