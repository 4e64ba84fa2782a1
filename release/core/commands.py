"""What a channel can be told to do."""

import msgspec

from bundles.core.version import Version
from release.core.plan import Plan
from release.core.routing import Rollout, Scheduled


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Begin to roll a candidate out, at the first stage of a plan. The salt is fixed here.

    With `supersede` it takes the place of the channel's rollout, live or scheduled, and takes over its salt: who
    had the broken candidate is first to get the mended one.
    """

    candidate: Version
    plan: Plan
    salt: str
    supersede: bool = False


class Schedule(msgspec.Struct, frozen=True, tag="schedule"):
    """Begin later: the controller starts it as soon as it may after `at`, in seconds since the epoch."""

    start: Start
    at: int


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Start what was scheduled, if it still is as it was seen."""

    seen: Scheduled


class Promote(msgspec.Struct, frozen=True, tag="promote"):
    """Go to the next stage, or to a later one by name; after the last one, the candidate is the stable build.

    With `seen`, only if the rollout still is as it was seen: a decision on an old view promotes nothing.
    """

    seen: Rollout | None = None
    to: str | None = None


class Approve(msgspec.Struct, frozen=True, tag="approve"):
    """Let a candidate out of staging: a second person's word, for this candidate alone.

    `same` are the actors that count as who asks, beside their own name: one person may ask by several.
    """

    candidate: Version
    same: frozenset[str] = frozenset()


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Stay at this stage: who has the candidate keeps it, and nobody is added."""


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    """Go on from a pause; the stage's bake time begins again."""


class Abort(msgspec.Struct, frozen=True, omit_defaults=True, tag="abort"):
    """End the rollout, or take a scheduled one away: everyone is back at the stable build.

    With `of`, a rollout's identity, only that live rollout, at whatever stage: a decision on one that has ended
    aborts no other.
    """

    of: str | None = None


class Rollback(msgspec.Struct, frozen=True, tag="rollback"):
    """One flip to an earlier stable build; ends the channel's rollout with it, from any state.

    `to` names the build. Without it, the channel goes back to what everyone had before the latest change: a live
    rollout's stable build, or else the stable build before the present one.
    """

    to: Version | None = None


Command = Start | Schedule | Begin | Promote | Approve | Pause | Resume | Abort | Rollback
