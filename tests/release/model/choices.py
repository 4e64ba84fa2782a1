"""What may be asked of the model: builds, tenants, plans, policies, and who asks."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product as pairs

from hypothesis import strategies as st

from tests.release.model.plans import Asked
from tests.release.model.requested import Who
from tests.release.model.state import Channel

NOW = int(datetime(2027, 1, 4, 9, tzinfo=UTC).timestamp())
MINUTE, HOUR, DAY = 60, 3600, 86_400
BUILDS = {
    "sdk": {"1.0.0": NOW - 120 * DAY, "1.1.0": NOW - 59 * DAY, "1.1.1": NOW - 40 * DAY, "1.2.0": NOW - 20 * DAY,
            "2.0.0": NOW - DAY, "2.1.0-beta.1": NOW - HOUR},
    "web": {"1.0.0": NOW - 30 * DAY, "1.1.0": NOW - 10 * DAY},
}  # fmt: skip
TENANTS = ("acme", "zeta", "beta", "t1", "t2", "t3", "t4")
ENVIRONMENTS = ("production", "staging", "qa")
CHANNELS = ("stable", "next", "2")
WATCHED = tuple(pairs(BUILDS, CHANNELS, TENANTS, ENVIRONMENTS))

WEEKENDS = {"name": "weekends", "zone": "Europe/Berlin", "weekly": ["fri 16:00-mon 08:00"]}
NIGHTS = {"name": "nights", "weekly": ["tue 20:00-wed 06:00", "thu 20:00-fri 06:00"], "channels": ["stable"]}
INVENTORY = {"name": "inventory", "zone": "America/New_York", "products": ["s*"], "periods": [
    {"from": "2027-01-06", "until": "2027-01-07T12:00:00"},
    {"from": "2027-01-20T00:00:00Z", "until": "2027-02-10"},
]}  # fmt: skip
STRICT_PINS = {"products": ["sdk"], "longest": "30d", "oldest": "60d", "most_behind": 2,
               "customers": ["range", "candidates"], "customers_longest": "7d"}  # fmt: skip
LOOSE_PINS = {"customers": ["exact", "range", "candidates"]}
ONE_SALT = {"channels": ["stable"], "stages": "staging,canary@1h,50@4h,100@1d", "canary": ["acme"],
            "salt": "sdk-2027", "last": ["tier=enterprise@100"]}  # fmt: skip
TESTED = {"products": ["sdk"], "stages": "staging,20,100", "bake": "30m", "smoke_command": ["check it"],
          "first": ["tier=free"], "salt": "sdk-2027"}  # fmt: skip
policies = st.fixed_dictionaries(
    {
        "freeze": st.sampled_from([[], [], [], [WEEKENDS], [NIGHTS, INVENTORY], [INVENTORY, WEEKENDS]]),
        "approval": st.sampled_from([[], [], [{"channels": ["stable"]}], [{"products": ["web"]}]]),
        "pins": st.sampled_from([[], [LOOSE_PINS], [STRICT_PINS], [STRICT_PINS, LOOSE_PINS]]),
        "rollout": st.sampled_from([[], [ONE_SALT], [TESTED], [TESTED, ONE_SALT]]),
    }
)
CHECKED = Asked("staging,50,100", smoke=("check that",))
plans = st.sampled_from([
    *[Asked()] * 4,
    *[CHECKED] * 3,
    Asked("100"),
    Asked("100", bake="30m"),
    Asked("staging,canary@1h,25@4h,100@1d"),
    Asked("staging@10m,100@0s", smoke=("check that",)),
    Asked("staging,20,60,100", first=("tier=free,trial",), last=("zeta@done",)),
    Asked("10@2h,60,100@1h", last=("beta", "region=eu@100")),
    Asked("canary:20,100", canary=("acme", "t1"), last=("t2@100",)),
    Asked("staging,canary,50,100", bake="30m", canary=("acme",), first=("region=eu",), smoke=("check that",)),
    *[Asked("staging,100", canary=("acme",)), Asked("staging,canary,100", canary=("acme",), last=("acme@77",))],
])  # fmt: skip
products = st.sampled_from(["sdk", "sdk", "sdk", "web"])
builds = st.sampled_from([*BUILDS["sdk"], "9.9.9"])
chance = st.sampled_from(range(100))
tenants = st.sampled_from(TENANTS)
environments = st.sampled_from(ENVIRONMENTS)
ahead = st.sampled_from([MINUTE, 30 * MINUTE, HOUR, 5 * HOUR, DAY, 3 * DAY, 7 * DAY, 40 * DAY])
attributes = st.dictionaries(
    st.sampled_from(["tier", "region"]), st.sampled_from(["free", "enterprise", "eu"]), min_size=1
)


EVERY_CHANNEL = (
    *[("sdk", "stable")] * 4,
    ("sdk", "next"),
    ("sdk", "2"),
    *[("web", "stable")] * 2,
    ("web", "next"),
)
SAM = Who("sam")
Wish = Callable[[Channel], bool]


def is_coming(found: Channel) -> bool:
    """True for a channel with a rollout, live or scheduled."""
    return found.rollout is not None or found.scheduled is not None


def has_earlier(found: Channel) -> bool:
    """True for one that has something to roll back to."""
    return len(found.history) > 1 or (found.rollout is not None and bool(found.history))


def is_paused(found: Channel) -> bool:
    """True for one with a paused rollout."""
    return found.rollout is not None and found.rollout.paused


def is_live(found: Channel) -> bool:
    """True for one with a live rollout."""
    return found.rollout is not None


class How:
    """Who asks: `behind` says how far the expected revision is behind; None for no expectation."""

    def __init__(self, actor: str, behind: int | None, glass: bool, key: str | None) -> None:
        self.actor, self.behind, self.glass, self.key = actor, behind, glass, key

    def __repr__(self) -> str:
        return f"How({self.actor!r}, {self.behind}, {self.glass}, {self.key!r})"


hows = st.builds(
    How,
    st.sampled_from(["sam", "sam", "kim"]),
    st.sampled_from([None] * 8 + [0, 0, 1]),
    st.sampled_from([False] * 4 + [True]),
    st.sampled_from([None] * 12 + ["k1", "k2", "k3"]),
)
