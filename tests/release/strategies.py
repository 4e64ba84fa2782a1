"""Hypothesis strategies for the control plane's values."""

from hypothesis import strategies as st

from bundles.core.version import Range, Version
from release.core.bucket import BasisPoints
from release.core.commands import Abort, Approve, Command, Pause, Promote, Resume, Rollback, Schedule, Start
from release.core.names import Tenant
from release.core.plan import Plan, Stage, StageKind
from release.core.routing import Pin
from release.core.targeting import Condition, Held, Targeting

VERSIONS = tuple(Version(f"1.{minor}.0") for minor in range(6))

tenants = st.from_regex(r"[a-z][a-z0-9]{0,11}", fullmatch=True).map(Tenant) | st.just(Tenant("acme"))
versions = st.sampled_from(VERSIONS)
names = st.sampled_from(["tier", "region"])
values = st.sampled_from(["free", "enterprise", "eu"])
conditions = st.builds(Condition, names, st.lists(values, min_size=1, max_size=2, unique=True).map(tuple))
abouts = st.dictionaries(names, values)
bakes = st.none() | st.integers(0, 3600)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any plan: staging and canary may be missing, percentages grow to 100."""
    stages = []
    canary_tenants: tuple[Tenant, ...] = ()
    if draw(st.booleans()):
        stages.append(Stage(StageKind.STAGING, BasisPoints(0), draw(bakes)))
    shares = sorted(draw(st.sets(st.integers(2, 9_999), max_size=5)))
    if draw(st.booleans()):
        canary_tenants = tuple(draw(st.lists(tenants, max_size=3, unique=True)))
        share = BasisPoints(0 if canary_tenants else 1)
        stages.append(Stage(StageKind.CANARY, share, draw(bakes)))
    stages.extend(Stage(StageKind.COHORT, BasisPoints(share), draw(bakes)) for share in [*shares, 10_000])
    places = st.integers(1, len(stages))
    held = draw(st.dictionaries(tenants.filter(lambda tenant: tenant not in canary_tenants), places, max_size=2))
    last = draw(st.lists(st.builds(Held, conditions, places), max_size=2))
    first = draw(st.lists(conditions, max_size=2))
    return Plan(tuple(stages), canary_tenants, targeting=Targeting(tuple(first), tuple(last), held))


starts = st.builds(
    Start,
    candidate=versions,
    plan=plans(),
    salt=st.text("0123456789abcdef", min_size=4, max_size=8),
    supersede=st.booleans(),
)
commands: st.SearchStrategy[Command] = st.one_of(
    starts,
    st.builds(Schedule, starts, st.integers(1, 60)),
    st.just(Promote()),
    st.just(Promote()),
    st.builds(Promote, to=st.none() | st.sampled_from(["canary", "100", "done"])),
    st.builds(Approve, versions),
    st.just(Pause()),
    st.just(Resume()),
    st.just(Abort()),
    st.builds(Rollback, to=st.none() | versions),
)
pins = st.builds(
    Pin,
    target=st.sampled_from([*VERSIONS, "^1.0", "~1.2", "1.x", ">=1.1 <1.4", "^9"]).map(Range) | st.none(),
    author=st.just("sam"),
    reason=st.just(""),
    expires_at=st.none() | st.integers(1, 2_000),
)
