"""A channel as its users see it."""

from typing import TYPE_CHECKING

import msgspec

from api.times import format_time
from api.views.check import CheckView, view_checks
from api.views.gate import GateView, view_gate
from api.views.smoke import SmokeTestView, view_tests
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.names import Channel, Tenant
from release.core.plan import Plan, Stage
from release.core.routing import Progress, Rollout, Scheduled

if TYPE_CHECKING:
    from release.rollouts import ChannelAt


class StageView(msgspec.Struct, frozen=True):
    """A stage: its name, its share in percent, and its bake time in seconds (null where a person promotes)."""

    name: str
    percent: float
    bake_seconds: int | None


class RolloutView(msgspec.Struct, frozen=True):
    """A live rollout. `stage` counts from 0; times are RFC 3339 in UTC.

    `gate` is what its health gate knows, null before its first look; `held` says why that holds the rollout.
    """

    candidate: Version
    author: str
    approved_by: str | None
    progress: Progress
    stage: int
    stages: tuple[StageView, ...]
    canary_tenants: tuple[Tenant, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    stage_since: str
    promoted_at: str | None
    smoke_tests: tuple[SmokeTestView, ...]
    gate: GateView | None
    held: str | None
    checks: tuple[CheckView, ...]


class ScheduledView(msgspec.Struct, frozen=True):
    """A rollout that begins by itself; `at` is RFC 3339 in UTC."""

    candidate: Version
    author: str
    at: str
    stages: tuple[StageView, ...]


class ChannelView(msgspec.Struct, frozen=True):
    """A channel at a revision of the routing table.

    `frozen` says which freeze holds it, or is null; `warnings` which one will, unless the policy is applied anew.
    """

    product: Product
    channel: Channel
    revision: int
    stable: Version | None
    earlier: tuple[Version, ...]
    rollout: RolloutView | None
    scheduled: ScheduledView | None
    frozen: str | None
    waits_for_approval: bool
    warnings: tuple[str, ...]


def view_channel(product: Product, channel: Channel, at: "ChannelAt") -> ChannelView:
    """The channel for its users; `earlier` has the newest first."""
    state = at.state
    return ChannelView(
        product=product,
        channel=channel,
        revision=at.revision,
        stable=state.stable,
        earlier=state.history[-2::-1],
        rollout=None if state.rollout is None else _view_rollout(state.rollout, at),
        scheduled=None if state.scheduled is None else _view_scheduled(state.scheduled),
        frozen=at.frozen,
        waits_for_approval=at.waits_for_approval,
        warnings=at.warnings,
    )


def _view_rollout(rollout: Rollout, at: "ChannelAt") -> RolloutView:
    return RolloutView(
        candidate=rollout.candidate,
        author=rollout.author,
        approved_by=rollout.approved_by,
        progress=rollout.progress,
        stage=rollout.stage_index,
        stages=tuple(_view_stage(stage) for stage in rollout.plan.stages),
        canary_tenants=rollout.plan.canary_tenants,
        first=tuple(str(condition) for condition in rollout.plan.targeting.first),
        last=_view_last(rollout.plan),
        stage_since=format_time(rollout.stage_since),
        promoted_at=None if rollout.bakes_until is None else format_time(rollout.bakes_until),
        smoke_tests=view_tests(rollout.plan.smoke_tests, at.smoke),
        gate=None if at.watch is None else view_gate(at.watch),
        held=at.held,
        checks=view_checks(at.checks),
    )


def _view_last(plan: Plan) -> tuple[str, ...]:
    """Who is held back, and until which stage, as it is written for `rollout start --last`."""
    names = plan.stage_names
    held = [(str(each.condition), each.until) for each in plan.targeting.last]
    return tuple(f"{who}@{names[until]}" for who, until in [*held, *plan.targeting.held_tenants.items()])


def _view_scheduled(scheduled: Scheduled) -> ScheduledView:
    return ScheduledView(
        candidate=scheduled.candidate,
        author=scheduled.author,
        at=format_time(scheduled.at),
        stages=tuple(_view_stage(stage) for stage in scheduled.plan.stages),
    )


def _view_stage(stage: Stage) -> StageView:
    return StageView(name=str(stage), percent=stage.share / 100, bake_seconds=stage.bake_seconds)
